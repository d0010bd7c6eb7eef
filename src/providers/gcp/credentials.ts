// Application Default Credentials, asked for before each request so that their absence is an answer, not a crash.
// https://cloud.google.com/docs/authentication/application-default-credentials
import { reasonOf } from '../../platform/http-text.ts'
import { GceError } from './errors.ts'

export interface Credentials {
  /** The headers a request needs. Throws a `GceError` with reason `credentials` where there are none. */
  headers(url: URL): Promise<Iterable<[name: string, value: string]>>
}

/** The part of google-auth-library's `GoogleAuth` that is used here. */
export interface GoogleAuthLike {
  getRequestHeaders(url?: string | URL): Promise<Headers>
}

export function applicationDefault(auth: GoogleAuthLike): Credentials {
  return {
    async headers(url) {
      try {
        return (await auth.getRequestHeaders(url.origin)).entries()
      } catch (error) {
        throw new GceError('credentials', reasonOf(error), { cause: error })
      }
    },
  }
}
