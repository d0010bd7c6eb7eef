// The one that is suspended has a clock five minutes ahead. In a file of its own, because files run at the same time.
import { testClocks } from './clock-case.ts'

testClocks('ahead')
