// How large the user data is that carries a chain of three.
import { createDevelopmentChain } from '../src/tls/development-ca.ts'
import { parseMaterial } from '../src/tls/material.ts'
