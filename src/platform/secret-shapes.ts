// Patterns of known secrets, for the check of user data and for the log. Each pattern is bounded on both sides, so that certificates, hashes and base64 do not match.

interface SecretShape {
  what: string
  pattern: RegExp
}

/** A token that stands alone, with a character in it that base64 does not have. */
function token(what: string, shape: string): SecretShape {
  return { what, pattern: new RegExp(`(?<![A-Za-z0-9_-])(?:${shape})(?![A-Za-z0-9_-])`) }
}

/** A token that may occur by chance in base64, where it is part of a longer run. */
function plainToken(what: string, shape: string): SecretShape {
  return { what, pattern: new RegExp(`(?<![A-Za-z0-9+/_-])(?:${shape})(?![A-Za-z0-9+/_-])`) }
}

/** A literal value, not `$NAME`, `$(…)` or `<placeholder>`. */
const literal = '["\']?(?![$<{*%])'

export const secretShapes: SecretShape[] = [
  { what: 'a private key', pattern: /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----/ },
  { what: 'a PuTTY private key', pattern: /^PuTTY-User-Key-File-\d/m },
  // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
  plainToken('an AWS access key', '(?:AKIA|ASIA)[A-Z2-7]{16}'),
  {
    what: 'an AWS secret key',
    pattern: new RegExp(
      `aws_?(?:secret_?access_?key|session_?token)["']?\\s*[:=]\\s*${literal}[\\w/+=]{40}`,
      'i',
    ),
  },
  plainToken('a Google API key', 'AIza[\\w-]{35}'),
  token('a Google OAuth token', 'ya29\\.[\\w-]{20,}'),
  token('a Google OAuth client secret', 'GOCSPX-[\\w-]{28}'),
  // https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
  token('a GitHub token', 'gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{40,255}'),
  token('a GitLab token', 'gl(?:pat|dt|rt|cbt|ptt|agent)-[\\w.-]{20,}'),
  token('a Slack token', 'xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-\\d-[A-Za-z0-9-]{10,}'),
  { what: 'a Slack webhook', pattern: /hooks\.slack\.com\/(?:services|workflows)\/T\w+\/[A-Z]\w+\/\w+/ },
  // https://datatracker.ietf.org/doc/html/rfc7515#section-3.1: three parts, the first two of them JSON objects.
  token('a JSON web token', 'eyJ[\\w-]{8,}\\.eyJ[\\w-]{8,}\\.[\\w-]{16,}'),
  token('a Docker Hub token', 'dckr_(?:pat|oat)_[\\w-]{20,}'),
  token('an npm token', 'npm_[A-Za-z0-9]{36}'),
  token('a PyPI token', 'pypi-AgE[\\w-]{50,}'),
  token('a Hugging Face token', 'hf_[A-Za-z0-9]{30,}'),
  token('an API key', 'sk-(?:proj-|ant-|live-)?[\\w-]{32,}|[rs]k_live_[A-Za-z0-9]{20,}'),
  token('a SendGrid key', 'SG\\.[\\w-]{16,}\\.[\\w-]{16,}'),
  plainToken('a Databricks token', 'dapi[0-9a-f]{32}'),
  token('a Vault token', 'hv[sb]\\.[\\w-]{24,}'),
  { what: 'an Azure storage key', pattern: /AccountKey=[A-Za-z0-9+/]{86}==/ },
  {
    what: 'a password in a URL',
    pattern: new RegExp(`\\b[a-z][a-z0-9+.-]{0,15}://[^\\s/:@'"]+:${literal}[^\\s/:@'"]+@`, 'i'),
  },
  {
    what: 'a password of docker login',
    pattern: new RegExp(`docker\\s+login\\b[^\\n]{0,200}\\s(?:-p\\s*|--password[=\\s])${literal}[^\\s"'-]`),
  },
]

/** Names of settings whose values are secrets. */
export const secretName = /(?:^|[_.-])(?:password|passwd|secret|token|api_?key|private_?key|credentials?)$/i
