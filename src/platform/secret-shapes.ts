// The patterns of secrets: one list for the check of user data and for the log. Each is bounded on both sides, so that
// certificates, hashes and base64 do not match, and in length, so that a long text is read once.

export interface SecretShape {
  what: string
  /** Where a capture group is used, it is the part before the value, which may be shown. */
  pattern: RegExp
  /**
   * True for the shape of a known kind of key or token, or a command that takes nothing but a password there. False where
   * only the name beside a value suggests that it is a secret.
   */
  certain: boolean
}

/** A token that stands alone, with a character in it that base64 does not have. */
function token(what: string, shape: string): SecretShape {
  return { what, pattern: new RegExp(`(?<![A-Za-z0-9_-])(?:${shape})(?![A-Za-z0-9_-])`), certain: true }
}

/** A token that may occur by chance in base64, where it is part of a longer run. */
function plainToken(what: string, shape: string): SecretShape {
  return { what, pattern: new RegExp(`(?<![A-Za-z0-9+/_-])(?:${shape})(?![A-Za-z0-9+/_-])`), certain: true }
}

const tokens: SecretShape[] = [
  {
    what: 'a private key',
    pattern:
      /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}-----|$(?![\s\S]))/,
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
  token('a Twilio key', 'SK[0-9a-f]{32}'),
  token('a Mailgun key', 'key-[0-9a-f]{32}'),
  { what: 'a Telegram token', pattern: /(?<!\d)\d{8,10}:AA[\w-]{33}(?![\w-])/, certain: true },
  token('a SendGrid key', 'SG\\.[\\w-]{16,}\\.[\\w-]{16,}'),
  plainToken('a Databricks token', 'dapi[0-9a-f]{32}(?:-\\d)?'),
  token('a Vault token', 'hv[sbr]\\.[\\w-]{24,}'),
  token('a Terraform token', '[A-Za-z0-9]{14}\\.atlasv1\\.[\\w-]{60,}'),
  token('a Tailscale key', 'tskey-(?:[a-z]+-)?\\w{6,}-\\w{10,}'),
  token('an age key', 'AGE-SECRET-KEY-1[A-Z0-9]{58}'),
  token('an Azure client secret', '[A-Za-z0-9]{3}\\dQ~[\\w.~-]{31,34}'),
  { what: 'an Azure storage key', pattern: /AccountKey=[A-Za-z0-9+/]{86}==/, certain: true },
  {
    what: 'a signed URL',
    pattern: /[?&](?:sig|X-Amz-Signature|X-Goog-Signature)=[\w%+/=-]{40,}/,
    certain: false,
  },
  {
    what: 'a password hash',
    pattern: /\$(?:apr1|1|5|6|y)\$(?:rounds=\d+\$)?[./\w]{1,40}\$[./\w]{22,90}|\$2[aby]\$\d\d\$[./\w]{53}/,
    certain: false,
  },
]

// Passwords without a shape of their own: the name, the flag or the command beside the value shows what it is. A value
// that is fetched or filled in is none: `$NAME`, `$(…)`, `{{ x }}`, `<placeholder>`, a path.

/** What stands for a value, or is a word of a configuration: up to the end of the word. */
const harmless =
  '(?:true|false|yes|no|on|off|none|null|nil|required|optional|prompt|always|never|auto|default|enabled|disabled|file|env|stdin|string|undefined|unset|password|passwd|token|secret|\\d{1,7}|x{3,}|\\*+|\\.{3,}|your[_-]\\w+)(?![\\w.-])'
/** Where a value begins that is not literal. */
const filledIn =
  '[$`<{%@*~(\\\\]|\\.{0,2}/|arn:|file:|(?:os|args|self|this|process|config|settings|env)\\.[a-z]'
const notLiteral = `(?!${harmless}|${filledIn})`
/** A literal value, in quotes or as one word. */
const literal = `(?:"${notLiteral}(?:[^"$\`\\n\\\\]|\\\\.){4,200}"|'${notLiteral}[^'\\n]{4,200}'|${notLiteral}[^\\s"'$\`()<>[\\]{};|&*\\\\,]{4,200}(?=["'\\s;|&,})]|$))`
/** The same inside quotes that were opened before, or as one word, and shorter. */
const inner = `["']?${notLiteral}[^\\s"'$\`|]{3,200}`

const endings = [
  'pass(?:word|wd|phrase|code)',
  '(?<=[_.-])(?:pass|pwd|pw|auth)',
  '(?:auth)?token',
  '(?:api|access|secret|private|account|auth|encryption|signing|master|shared|license|app|application)[_.-]?key',
  'key[_-]data',
  '(?<!Load|Import)credentials?',
  'secret[_.-]?key[_.-]?base',
  '(?<![a-z0-9])psk',
  '[a-z0-9][_.-]?secret',
]
/** A name that ends like that of a secret, from its beginning. */
const named = `(?<![\\w.$-])[\\w.-]{0,60}?(?:${endings.join('|')})`
/** A flag of the same names. A lone `--secret` mostly gives the name of one. */
const flag = `(?<![\\w-])--?(?:[a-z][\\w-]{0,40}?-)?(?:password|passwd|passphrase|token|api[-_]?key|secret[-_]?key|access[-_]?key|client[-_]?secret)`

const line = '(?:[^\\n\\\\|;]|\\\\\\n?){0,300}'
const login = '(?:docker|podman|nerdctl|buildah|skopeo|oras|crane\\s+auth|helm\\s+registry)\\s+login\\b'
const printed = `(?:echo|printf)\\s+(?:-[neE]+\\s+)*(?:["']%s(?:\\\\n)?["']\\s+)?`

function context(what: string, before: string, value: string, flags = ''): SecretShape {
  return { what, pattern: new RegExp(`(${before})${value}`, flags), certain: false }
}

function sure(what: string, before: string, value: string, flags = ''): SecretShape {
  return { ...context(what, before, value, flags), certain: true }
}

const passwords: SecretShape[] = [
  sure(
    'an AWS secret key',
    'aws_?(?:secret_?access_?key|session_?token)["\']?\\s*(?:[:=]|\\s)\\s*["\']?',
    '(?![$<{*%])[\\w/+=]{40,}',
    'i',
  ),
  sure(
    'a password in a URL',
    '\\b[a-z][a-z0-9+.-]{0,15}://[^\\s/:@\'"]{0,100}:',
    '["\']?(?![$<{*%])[^\\s/:@\'"]{1,200}(?=@)',
    'i',
  ),
  sure('a password of docker login', `${login}${line}\\s(?:-p\\s*|--password[=\\s]+)`, `${inner}`),
  sure(
    'a password of docker login',
    `${printed}(?=[^\\n]{1,600}\\|\\s*(?:sudo\\s+)?${login}${line}--password-stdin)`,
    inner,
  ),
  sure('a password of docker login', `${login}${line}--password-stdin[^\\n|;]{0,100}<<<\\s*`, inner),
  sure(
    'a password of docker login',
    `${login}${line}--password-stdin[^\\n|;]{0,100}<<-?\\s*["']?\\w+["']?[^\\n]{0,60}\\n\\s*`,
    inner,
  ),
  context(
    'a password for a login',
    `${printed}(?=[^\\n]{1,600}\\|\\s*(?:sudo\\s+)?[\\w./-]+[^\\n|]{0,200}(?:--password-stdin|--with-token|--passphrase-fd|chpasswd))`,
    inner,
  ),
  context(
    'a password of a user',
    `${printed}["']?[\\w.-]{1,40}:(?=[^\\n]{1,300}\\|\\s*(?:sudo\\s+)?chpasswd)`,
    inner,
  ),
  context('a password of sudo', `${printed}(?=[^\\n]{1,300}\\|\\s*sudo\\s+-[A-Za-z]*S)`, inner),
  context('a password of sshpass', 'sshpass\\s+-p\\s*', inner),
  context(
    'a password of mysql',
    `\\b(?:mysql|mysqldump|mysqladmin|mariadb)\\b${line}\\s-p|\\bmysqladmin\\b${line}\\spassword\\s+`,
    '(?=\\S)["\']?(?![$`<{%\\s-])[^\\s"\'$`]{3,200}',
  ),
  context('a password of redis', `\\bredis-cli\\b${line}\\s-a\\s+`, inner),
  context(
    'a password of curl',
    `\\b(?:curl|http)\\b${line}\\s(?:-[A-Za-z]*u|--(?:proxy-)?user|-a)[\\s=]*["']?[\\w.@%+-]{1,80}:`,
    '(?![$`<{%])[^\\s"\'$`]{3,200}',
  ),
  context(
    'a password of smbclient',
    `\\b(?:smbclient|rpcclient|net|realm)\\b${line}\\s-U\\s*["']?[\\w.\\\\/-]+%`,
    '(?![$`<{%])[^\\s"\'$`]{3,200}',
  ),
  context(
    'a password of htpasswd',
    '\\bhtpasswd\\s+(?:-[a-zA-Z]+\\s+)*-[a-zA-Z]*b[a-zA-Z]*\\s+(?:-C\\s+\\d+\\s+)?(?:[^\\s"\'|;]+\\s+){1,2}',
    `${inner}(?=["']?\\s*(?:$|[|;>&]))`,
    'm',
  ),
  sure(
    'a password of docker login',
    `<<-?\\s*["']?\\w+["']?\\s*\\|\\s*(?:sudo\\s+)?${login}${line}--password-stdin[^\\n]{0,60}\\n\\s*`,
    inner,
  ),
  context('a password of a user', '\\brabbitmqctl\\s+(?:add_user|change_password)\\s+[\\w.@-]+\\s+', inner),
  context(
    'a password of a user',
    '\\b(?:\\w*passwd|chpasswd|kinit|realm)\\b[^\\n|;<]{0,100}<<<\\s*["\']?(?:[\\w.-]{1,40}:)?',
    inner,
  ),
  context(
    'a password of LDAP',
    `\\bldap[a-z]+\\b${line}\\s-w\\s*`,
    '["\']?(?![$`<{%\\s-])[^\\s"\'$`]{3,200}',
  ),
  context(
    'a password of a login',
    `\\b(?:az\\s+(?:acr\\s+)?login|mongo\\w*|cqlsh|rabbitmqadmin)\\b${line}\\s-p\\s+|\\b(?:ipmitool|mosquitto_[ps]ub|sqlcmd|bcp|zip|unzip)\\b${line}\\s-P\\s*`,
    inner,
  ),
  context(
    'a password of a login',
    `${printed}(?=[^\\n]{1,300}\\|\\s*(?:sudo\\s+)?(?:kinit|cryptsetup|smbpasswd|pdbedit|vncpasswd|passwd|realm)\\b)`,
    inner,
  ),
  context(
    'a token of a login',
    '\\bvault\\s+login\\s+(?:-[\\w-]+(?:=\\S{1,100})?\\s+)*|\\bngrok\\s+(?:config\\s+add-)?authtoken\\s+',
    '(?!\\w+=)(?![$`<{%"\\\'-])[^\\s"\'$`]{8,200}',
  ),
  context('a password of an archive', `\\b7z[ar]?\\b${line}\\s-p`, inner),
  context('a password of redis', '(?<![\\w-])(?:--)?(?:requirepass|masterauth)\\s+', inner),
  context(
    'a password of s3fs',
    `${printed}["']?\\w{3,128}:(?=[^\\n]{1,300}>\\s{0,4}\\S{0,100}passwd-s3fs)`,
    inner,
  ),
  context(
    'a password that expect sends',
    '\\bsend\\s+(?:--\\s+)?"',
    '(?=[^"\\s]{0,60}\\d)(?![$`<{%\\\\])[^"\\s$`\\\\]{6,200}(?=\\\\[rn]")',
  ),
  context(
    'a value under the name of a secret',
    `<(?:[\\w.:-]{0,60}?(?:${endings.join('|')}))>`,
    `${notLiteral}[^<>\\s$]{4,200}(?=</)`,
    'i',
  ),
  context('a key of a cluster', '\\s--?encrypt[=\\s]["\']?', '[A-Za-z0-9+/]{22,44}={1,2}'),
  context(
    'a password in place of a file',
    `(?:pass|pw|token|secret|key)[\\w-]{0,30}[=\\s]<\\(\\s*${printed}`,
    inner,
  ),
  // JSON as a string within JSON.
  context(
    'a value under the name of a secret',
    `\\\\+"(?:[\\w.-]{0,60}?(?:${endings.join('|')})|secret)\\\\+"\\s{0,8}:\\s{0,8}\\\\+"`,
    `${notLiteral}[^"\\\\\\n]{4,200}(?=\\\\+")`,
    'i',
  ),
  context('a password of lftp', '\\blftp\\b[^\\n|;]{0,100}\\s-u\\s*[\\w.@-]+,', inner),
  context(
    'a password of a network',
    `\\bwpa_passphrase\\s+\\S{1,60}\\s+|\\bpsk\\s+|\\bnmcli\\b${line}\\s(?:[\\w.-]{0,40}\\.)?(?:password|psk)\\s+`,
    inner,
  ),
  context(
    'a password of openssl',
    '\\bopenssl\\s+enc\\b[^\\n|;]{0,200}\\s-k\\s+|(?<![\\w-])-?-?(?:pass|passin|passout|k)\\s+pass:',
    inner,
  ),
  context('a Weights & Biases key', '\\bwandb\\s+login\\s+(?:--[\\w-]+\\s+)*', '[0-9a-f]{40}(?![\\w-])'),
  context('a password of netrc', '\\b(?:login|user)\\s+\\S{1,100}\\s+password\\s+', inner),
  context(
    'a password of pgpass',
    '^[ \\t]{0,40}(?:[\\w-]{1,63}\\.[\\w.-]{1,200}|localhost|\\*):(?:\\d{2,5}|\\*):[^:\\s]{1,64}:[^:\\s]{1,64}:',
    '(?![$`<{%*])[^:\\s]{3,200}$',
    'm',
  ),
  context(
    'a header with credentials',
    '\\b(?:proxy-)?authorization["\']?\\s*[:=,]\\s*["\']?(?:bearer|basic|token|apikey|splunk)\\s+',
    '(?![$<{%`])[\\w.~+/=:-]{8,4000}',
    'i',
  ),
  context(
    'a bearer token',
    '\\bBearer\\s+',
    '(?![$<{%`])(?:(?=[\\w.~+/=-]{0,60}\\d)[\\w.~+/=-]{8,4000}|[\\w.~+/=-]{8,4000}(?=["\',;]|\\s*$))',
    'i',
  ),
  context('the credentials of a registry', '"auth"\\s*:\\s*', '"[A-Za-z0-9+/=]{8,2000}"'),
  context(
    'a value under the name of a secret',
    `^[ \\t]*ENV[ \\t]+[\\w]{0,60}?(?:${endings.join('|')})[ \\t]+`,
    literal,
    'im',
  ),
  context('a value under the name of a secret', `${named}:[ \\t]{1,4}(?=[^\\s]{0,60}\\d)`, literal, 'im'),
  // NAME=value, --name=value, name = value at the start of a line, "name": "value", name: value on a line of its own.
  context(
    'a value under the name of a secret',
    `${named}["']?(?:=|\\s{0,8}:=\\s{0,8}|\\s{0,8}=>\\s{0,8})`,
    literal,
    'im',
  ),
  context(
    'a value under the name of a secret',
    `^[ \\t]{0,40}[\\w.-]{0,60}?(?:${endings.join('|')})[ \\t]{1,8}=[ \\t]{0,8}`,
    literal,
    'im',
  ),
  context(
    'a value under the name of a secret',
    `["'](?:[\\w.-]{0,60}?(?:${endings.join('|')})|secret)["']\\s{0,8}:\\s{0,8}(?=["'])`,
    literal,
    'im',
  ),
  context(
    'a value under the name of a secret',
    `^[ \\t]{0,60}(?:-[ \\t]{1,8})?[\\w.-]{0,60}?(?:${endings.join('|')}):[ \\t]{1,8}`,
    `${literal}(?=[ \\t]*(?:#.*)?$)`,
    'im',
  ),
  context(
    'a header with credentials',
    `["'][\\w-]{0,40}?(?:token|[_-]key|apikey|secret):[ \\t]{0,8}`,
    '(?![$`<{%])[^\\s"\'$`]{8,4000}(?=["\'])',
    'i',
  ),
  context(
    'a value under the name of a secret',
    `(?:${flag})[ \\t]{1,8}`,
    `(?:"${notLiteral}[^"$\`\\n]{4,200}"|'${notLiteral}[^'\\n]{4,200}'|${notLiteral}(?!-)(?=[^\\s]{0,80}[\\d!#%^+=/._-]|[^\\s]{4,80}\\s*(?:$|[|;\\\\]))(?![A-Z_]+(?![\\w-]))[^\\s"'$\`()<>|;]{4,200})`,
    'm',
  ),
  context(
    'a value under the name of a secret',
    '\\b(?:SECRET|PSK|PASS|PIN|PW)=',
    `(?=["']?[^\\s"']{0,60}\\d)${literal}`,
  ),
]

export const secretShapes: SecretShape[] = [...tokens, ...passwords]

/** Names of settings whose values are secrets. */
export const secretName = /(?:^|[_.-])(?:password|passwd|secret|token|api_?key|private_?key|credentials?)$/i

export const secretMask = '********'

/** The patterns that keep nothing, combined into a few, because a log has many lines. */
const whole = byFlags(tokens.map(({ pattern }) => pattern))
/** What a text with a password of `passwords` contains; most lines of a log do not. */
const hint =
  /pass|pwd|token|secret|key|auth|cred|login|bearer|:\/\/|sudo|curl|http|mysql|redis|smbclient|rpcclient|mariadb|rabbitmq|openssl|encrypt|ipmitool|zip\b|7z|\bnet\b|realm|send|mosquitto|sqlcmd|bcp|mongo|cqlsh|kinit|pdbedit|cryptsetup|ldap|lftp|psk|PSK|PIN=|\bpw\b|_pw|:\d{2,5}:|:\*:/i
/** Name and password of a URL (RFC 3986, 3.2.1); its host is kept. */
const userinfo = /\b([a-z][a-z0-9+.-]{0,15}:\/\/)[^\s/?#@'"]{1,300}@/gi
const eachPassword = passwords.map(({ pattern }) => new RegExp(pattern.source, `${pattern.flags}g`))

function byFlags(patterns: RegExp[]): RegExp[] {
  const groups = Map.groupBy(patterns, ({ flags }) => flags)
  return [...groups].map(([flags, group]) => {
    return new RegExp(group.map(({ source }) => `(?:${source})`).join('|'), `${flags}g`)
  })
}

/** The text with every secret replaced by asterisks; what stands before a password is kept. */
export function maskSecrets(text: string): string {
  const first = whole.reduce((left, pattern) => left.replace(pattern, secretMask), text)
  if (!hint.test(first)) return first
  const second = first.replace(userinfo, `$1${secretMask}@`)
  return eachPassword.reduce((left, pattern) => left.replace(pattern, `$1${secretMask}`), second)
}
