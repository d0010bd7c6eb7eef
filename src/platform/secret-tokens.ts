// The patterns of keys and tokens that can be told by their shape alone. Each is bounded on both sides, so that
// certificates, hashes and base64 do not match, and in length, so that a long text is read once.

export interface TokenShape {
  what: string
  pattern: RegExp
  /** False where the shape may also be one of something that may be public. */
  certain: boolean
}

/** A token that stands alone, with a character in it that base64 does not have. */
function token(what: string, shape: string): TokenShape {
  return { what, pattern: new RegExp(`(?<![A-Za-z0-9_-])(?:${shape})(?![A-Za-z0-9_-])`), certain: true }
}

/** A token that may occur by chance in base64, where it is part of a longer run. */
function plainToken(what: string, shape: string): TokenShape {
  return { what, pattern: new RegExp(`(?<![A-Za-z0-9+/_-])(?:${shape})(?![A-Za-z0-9+/_-])`), certain: true }
}

export const tokenShapes: TokenShape[] = [
  {
    what: 'a private key',
    pattern:
      /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?=(?:[^A-Za-z0-9]|\\[nr]){0,60}(?:[A-Za-z0-9+/]{8}|Proc-Type|Version|Comment|Hash))[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}-----|$(?![\s\S]))/,
    certain: true,
  },
  { what: 'a PuTTY private key', pattern: /^PuTTY-User-Key-File-\d/m, certain: true },
  // Base64 of `PRIVATE KEY-----`, `"private_key"` and the begin of an OpenSSH key, at each of the three offsets in a run.
  {
    what: 'a private key',
    pattern:
      /(?:UFJJVkFURSBLRVkt|BSSVZBVEUgS0VZLS|QUklWQVRFIEtFWS0t|InByaXZhdGVfa2V5I|Jwcml2YXRlX2tleSI|icHJpdmF0ZV9rZXki|b3BlbnNzaC1rZXktdjEA)[A-Za-z0-9+/=\s]*/,
    certain: true,
  },
  // Base64 of `{"auths"`, the credentials of registries.
  {
    what: 'the credentials of a registry',
    pattern:
      /(?<![A-Za-z0-9+/])(?:eyJhdXRocyI6|eyAiYXV0aHMi|ewogICJhdXRocyI6|ewogICAgImF1dGhzIjog|ewoJImF1dGhzIjog)[A-Za-z0-9+/=]{16,}/,
    certain: true,
  },
  // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
  plainToken('an AWS access key', '(?:AKIA|ASIA)[A-Z0-9]{16}'),
  plainToken('an AWS session token', '(?:FwoGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9+/=]{80,}'),
  plainToken('a Google API key', 'AIza[\\w-]{35}'),
  token('a Google OAuth token', 'ya29\\.[\\w-]{20,}'),
  token('a Google OAuth client secret', 'GOCSPX-[\\w-]{28}'),
  // https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
  token('a GitHub token', 'gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{40,255}'),
  token('a GitLab token', 'gl(?:pat|dt|rt|rtr|cbt|ptt|agent|oas|soat|ffct|imt|ft)-[\\w.-]{20,}'),
  token('a Slack token', 'xox[abceoprs][.-][A-Za-z0-9.-]{10,}|xapp-\\d-[A-Za-z0-9-]{10,}'),
  {
    what: 'a Slack webhook',
    pattern: /hooks\.slack\.com\/(?:services|workflows|triggers)\/[TE]\w+\/\w+\/\w+/,
    certain: true,
  },
  // https://datatracker.ietf.org/doc/html/rfc7515#section-3.1: three parts or, encrypted, five; the first is a JSON object.
  token('a JSON web token', 'eyJ[\\w-]{8,}\\.[\\w-]{0,4000}\\.[\\w-]{4,}(?:\\.[\\w-]+){0,2}'),
  token('a Docker Hub token', 'dckr_(?:pat|oat)_[\\w-]{20,}'),
  token('a Docker swarm token', 'SWMTKN-\\d-[a-z0-9]{40,}-[a-z0-9]{20,}'),
  token('an npm token', 'npm_[A-Za-z0-9]{36}'),
  token('a PyPI token', 'pypi-AgE[\\w-]{50,}'),
  token('a Hugging Face token', 'hf_[A-Za-z0-9]{30,}|api_org_[A-Za-z0-9]{30,}'),
  token('an NGC key', 'nvapi-[\\w-]{40,}'),
  token('a Weights & Biases key', 'wandb_v1_[\\w-]{30,}'),
  // OpenAI, Anthropic, Stripe.
  token(
    'an API key',
    'sk-(?:proj-|ant-|live-|or-|svcacct-)?[\\w-]{32,}|(?:[rsp]k_(?:live|test)|whsec)_[A-Za-z0-9]{20,}',
  ),
  token('an API key', 'gsk_[A-Za-z0-9]{40,}|r8_[A-Za-z0-9]{37,}|pplx-[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{60,}'),
  token(
    'an API key',
    'NRAK-[A-Z0-9]{27}|PMAK-[a-f0-9]{24}-[a-f0-9]{34}|lin_api_\\w{40}|sntry[su]_[\\w+/=.-]{40,}',
  ),
  token(
    'an API key',
    'shp(?:at|ss|ca|pa)_[a-fA-F0-9]{32}|do[opr]_v1_[a-f0-9]{64}|rubygems_[a-f0-9]{48}|AT(?:ATT3|BB)[\\w=-]{20,}',
  ),
  token(
    'an API key',
    'gl(?:sa|c)_[A-Za-z0-9+/=_]{30,}|pscale_(?:pw|tkn|oauth)_[\\w.-]{30,}|dp\\.(?:pt|st|sa|ct)\\.[\\w.-]{36,}',
  ),
  token(
    'an API key',
    'lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}|pcsk_[\\w-]{40,}|sbp_[a-f0-9]{40}|fig[dou]_[\\w-]{40,}|ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43}',
  ),
  token(
    'an API key',
    'pul-[a-f0-9]{40}|fo1_[\\w-]{40,}|rpa_[A-Z0-9]{40,}|bku[at]_[a-z0-9]{40}|CCIPAT_\\w{20,}|ops_eyJ[\\w-]{100,}|sq0(?:atp|csp)-[\\w-]{22,}|pat[A-Za-z0-9]{14}\\.[a-f0-9]{64}',
  ),
  plainToken(
    'an API key',
    'AKCp[A-Za-z0-9]{60,80}|cmVmdGtu[A-Za-z0-9]{56}|GOOG1E[A-Z0-9]{55}|LTAI[A-Za-z0-9]{20}|SCW[A-Z0-9]{17}',
  ),
  { what: 'a webhook', pattern: /discord(?:app)?\.com\/api\/webhooks\/\d+\/[\w-]{40,}/, certain: true },
  { what: 'a webhook', pattern: /webhook\.office\.com\/webhookb2\/[\w@-]{30,}\/\w+\/\w{20,}/, certain: true },
  token('a cluster token', 'K10[0-9a-f]{64}::\\w+:\\w{16,64}'),
  token('a Twilio key', 'SK[0-9a-f]{32}'),
  token('a Mailgun key', 'key-[0-9a-f]{32}'),
  { what: 'a Telegram token', pattern: /(?<!\d)\d{8,10}:AA[\w-]{33}(?![\w-])/, certain: true },
  token('a SendGrid key', 'SG\\.[\\w-]{16,}\\.[\\w-]{16,}'),
  plainToken('a Databricks token', 'dapi[0-9a-f]{32}(?:-\\d)?'),
  token('a Vault token', 'hv[sbr]\\.[\\w-]{24,}|s\\.(?=[A-Za-z]{0,23}\\d)[A-Za-z0-9]{24}'),
  token('a Terraform token', '[A-Za-z0-9]{14}\\.atlasv1\\.[\\w-]{60,}'),
  token('a Tailscale key', 'tskey-(?:[a-z]+-)?\\w{6,}-\\w{10,}'),
  token('an age key', 'AGE-SECRET-KEY-1[A-Z0-9]{58}'),
  token('an Azure client secret', '[A-Za-z0-9]{3}\\dQ~[\\w.~-]{31,34}'),
  { what: 'an Azure storage key', pattern: /AccountKey=[A-Za-z0-9+/]{86}==/, certain: true },
  {
    what: 'a signed URL',
    pattern: /[?&](?:sig|code|X-Amz-Signature|X-Goog-Signature)=[\w%+/=-]{40,}/,
    certain: false,
  },
  {
    what: 'a password hash',
    pattern:
      /\$(?:apr1|1|5|6|y)\$(?:rounds=\d+\$)?[./\w]{1,40}\$[./\w]{22,90}|\$2[aby]\$\d\d\$[./\w]{53}|\$?(?:argon2(?:id|i|d)|pbkdf2[-_]sha\d{1,3})[:$][\w$:=,+./]{30,300}|\{S?SHA\d{0,3}\}[A-Za-z0-9+/]{20,120}={0,2}|(?<!\w)\*[0-9A-F]{40}(?!\w)/,
    certain: false,
  },
]
