// GET /info where no master answers it: who this is, so that clients know one of ours before they show a token.
import type { Handler } from '../platform/ports.ts'
import { pathOf, sendJson } from './http-answers.ts'
import { productName } from './product.ts'

export interface Info {
  version: string
  cluster_id: string
  cluster_name: string
}

export function infoHandler(info: Info): Handler {
  return (request, response) => {
    if (pathOf(request) !== '/info' || !['GET', 'HEAD'].includes(request.method ?? '')) return false
    return sendJson(response, 200, { ...info, product: productName })
  }
}
