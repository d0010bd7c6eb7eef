// Decides whether a value that stands under the name of a secret is the secret itself: a literal. A value that is
// fetched or filled in, a path, a placeholder and a word of a configuration are none.

/** A value as it is written. */
export interface WrittenValue {
  text: string
  /** The quotes around it, `''` for a single word. */
  quote: '"' | "'" | ''
}

/**
 * One value, in quotes or as one word. Group 1 to 3: the text in double quotes, in single quotes, as a word; group 4: an
 * open quote's text. Quotes may be escaped once, as in JSON within JSON. Each part is bounded, so that it is linear.
 */
export const valuePattern =
  '(?:[$@]?\\\\{0,3}"((?:[^"\\\\\\n]|\\\\[^"\\n]|\\\\"(?![,\\s}\\]:]|$)){1,300})\\\\{0,3}"|\\$?\\\\{0,3}\'([^\'\\n]{1,300})\'|([^\\s"\'`|<>;,()\\\\]{1,300})|["\']([^\\s"\'`|<>;,()\\\\]{1,300}))'

/** The value at the four groups of `valuePattern` that begin at `first`. */
export function writtenValue(groups: (string | undefined)[], first: number): WrittenValue {
  const [double, single, word, open] = groups.slice(first, first + 4)
  if (double !== undefined) return { text: double, quote: '"' }
  if (single !== undefined) return { text: single, quote: "'" }
  const bare = word ?? open ?? ''
  // The bracket of a list or a mapping around it.
  return { text: /[[{]/.test(bare) ? bare : bare.replace(/[}\]]+$/, ''), quote: '' }
}

/** Words that stand for a value, or are a setting: `password: required`. */
const settingWords =
  /^(?:true|false|yes|no|on|off|none|null|nil|undefined|unset|empty|required|optional|prompt|ask|always|never|auto|default|enabled?|disabled?|file|env|stdin|string|text|str|bytes|bool|int|any|hidden|masked|omit(?:ted)?|inherit|basic|bearer|digest|oauth2?|token|pass|passwd|password|secret|key|user(?:name)?|md5|sha\d*|scram-sha-256|trust|peer|ident|plain(?:text)?|sensitive|redacted|hereby|locked?|allow|deny|forbid|prohibit-password|without-password|same-origin|include|generate[d]?|random|pass(?:ed|es|ing)?|fail(?:ed|s)?|success|ok|foobared|changeit|files|compat|systemd|sss|ldap|nis|winbind)$/i
/** What a reader is to replace: `changeme`, `YOUR_TOKEN`, `xxxx`, `<…>`, `my-secret-token`. */
const placeholder =
  /^(?:x{3,}|\*+|\.{3,}|-+|_+|#+|\?+|0+|n\/?a|todo|tbd|fixme|dummy|fake|sample|example|placeholder|change[_-]?(?:me|it|this)|replace[_-]?(?:me|it|this|with.*)|insert[_-].*|enter[_-].*|put[_-].*here|.*[_-]here|(?:your|the[_-]|some[_-]|my[_-])[_-]?(?:own|super|very)?[_-]?[a-z_-]*(?:password|passwd|token|secret|key|creds?|credentials?|pat|pwd|pass|value)s?|[^\d]*your[^\d]*|.*(?:\*{3,}|x{5,}|\.{3,}$|<\w).*|(?:db|user|api|auth|access|secret|admin|root|registry|docker|github|service|client|app)?[_.-]?(?:user|pass|passwd|password|passphrase|token|secret|key|api[_-]?key|credentials?)(?:[_.-]?(?:name|value|here|ref|file|path|arn|id))?|([^\d])\1{3,}|(?:abc|123|xyz)[.…*-]*)$/i
/** What a secret is called where secrets are kept: `registry-key`. Under the name of a password, only what names one. */
const nameOfSecret =
  /^[a-z][a-z0-9]*(?:[-_][a-z0-9]+){0,8}[-_](?:password|passwd|token|secret|key|creds?|credentials?)s?$/
const nameOfPassword = /^[a-z]+(?:[-_][a-z]+){0,8}[-_](?:password|passwd|token|secret)s?$/
/** A reference to a value that is kept elsewhere. */
const reference =
  /^(?:arn:|file:|env:|vault:|ssm:|op:\/\/|ref\+|ENC\[|projects\/|secretsmanager|aws-?sm|gcp-?sm|gsm:|sm:\/\/|keyvault|secret[:/]|dict\(|!(?:Ref|Sub|GetAtt|vault|secret|reference|include|env|Join)\b|https?:\/\/[^@\s]*$|ssh-(?:rsa|ed25519)\b|ecdsa-|sha(?:256|512)[:-]|i-[0-9a-f]+$|-----BEGIN|[A-Za-z]:[\\/])/i
/** A variable, a command, a template: `$NAME`, `${NAME}`, `$(…)`, `{{ x }}`, `%NAME%`, `%s`, `<placeholder>`, `@NAME@`, `__NAME__`. */
const filledIn =
  /^[<{[`~(*%\\]|^@(?!\w*[0-9!#$%^&*]\w*)|^__\w+__$|\$[({[]|\{\{|`|%\(\w+\)s|%[A-Za-z_]\w*%|^%?%[sdqv]$|#\{|<[A-Za-z][\w -]*>|^\$\{?\w*\}?$|\\\(|^\$[A-Za-z_][\w.]*(?:[:/@&,?-]|$)/
/** `$NAME` in text that a shell reads; `Pa$$word`, `a$9` and `pa$sw` are passwords. */
const shellVariable = /(?:^|[^\w$!#%^&*])\$[A-Za-z_]|\$[A-Z_][A-Z0-9_]{2,}/
/** Code, where there are no quotes: `var.password`, `self.token`, `environ["X"]`, `Read-Host`. */
const code =
  /^[a-z_]\w*(?:\.[a-zA-Z_]\w*)+$|^[a-zA-Z_]\w*(?:\.\w+)*\[|^[A-Z][A-Za-z]+-[A-Z][A-Za-z]+$|\.\*|\[\^|\\\d/
/** The name of a variable, of a file; a pattern. */
const nameOrFile =
  /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$|\.\*|\[\^|\(\.|^[\w.-]+\.(?:txt|json|ya?ml|pem|key|crt|cer|pub|gpg|asc|env|ini|conf|cfg|toml|properties|sh|py|js|ts|go|rb|p12|pfx|jks|kdbx|hcl|tf|tfvars|log|html?|xml|php)$/

/** True for a value that can only be read from elsewhere, or is no value. */
function isNoValue({ text, quote }: WrittenValue): boolean {
  const bare = text.replace(/[.,:;!]+$/, '')
  if (settingWords.test(bare) || placeholder.test(bare) || /\.{3}/.test(text) || reference.test(text))
    return true
  if (/^["']?\s?\+/.test(text)) return true
  if (quote === "'" ? /^\$\w+$|^\$[({[]|\{\{|^<[^>]*>$|^%\w*%?$|^\{/.test(text) : filledIn.test(text))
    return true
  if (quote !== "'" && shellVariable.test(text)) return true
  if (nameOrFile.test(text) && !looksRandom(text)) return true
  return isPath(text)
}

/** `/run/token`, `./key`, `../key`; base64 may begin with a slash as well. */
function isPath(text: string): boolean {
  return /^\.{0,2}\/(?:[\w.@+-]+(?:\/|$)|$)/.test(text) && !(text.length >= 24 && looksRandom(text.slice(1)))
}

/** A run of 16 characters without a separator, of letters and several digits: a key, a hash; never a word. */
export function looksRandom(text: string): boolean {
  if (/(?<![A-Za-z0-9])(?=[0-9]{0,40}[a-fA-F])[0-9a-fA-F]{32,200}(?![A-Za-z0-9])/.test(text)) return true
  for (const [run] of text.matchAll(/[A-Za-z0-9+/=]{16,300}/g)) {
    const digits = run.replace(/\D/g, '').length
    const changes = run.match(/[a-z](?=[A-Z])|[A-Za-z](?=\d)|\d(?=[A-Za-z])/g)?.length ?? 0
    if (/[A-Za-z]/.test(run) && digits >= 2 && changes >= 4) return true
    if (/^[A-Za-z0-9+/=]{24,}$/.test(run) && changes >= 7) return true
  }
  return false
}

/** Not a word of a language: it has a digit, a sign, or letters of both cases within. */
export function looksMade(text: string): boolean {
  const bare = text.replace(/[.,:;!?)]+$/, '')
  return /\d|[^\w.:/-]|[a-z][A-Z]|[A-Z]{2}[a-z]/.test(bare) || bare.length >= 20
}

/**
 * How much a name says: `strong` for a password, `medium` where the word has other meanings as well (`token`, `auth`),
 * `weak` where only a value that looks random is a secret (`key`).
 */
export type NameStrength = 'strong' | 'medium' | 'weak'

/** True for a literal that is a secret under a name of that strength. */
export function isSecretValue(value: WrittenValue, strength: NameStrength): boolean {
  const { text, quote } = value
  if (text.length < 4 || /^--/.test(text) || isNoValue(value)) return false
  if (quote === '' && code.test(text) && !looksRandom(text)) return false
  // A number is a setting, but also what many take for a password.
  if (/^[-+]?\d+(?:[.,]\d+)*%?$/.test(text) && (strength !== 'strong' || !/^\d{5,}$/.test(text)))
    return text.length > 9
  // `prod/db/credentials`: where it is kept.
  if (strength !== 'strong' && /^[a-z0-9_.-]+(?:\/[a-z0-9_.-]+)+$/.test(text) && !looksRandom(text))
    return false
  if ((strength === 'strong' ? nameOfPassword : nameOfSecret).test(text)) return false
  // The type of a variable: `secret_key: SecretStr`.
  if (quote === '' && /^(?:[A-Z][a-z]+){2,}$/.test(text)) return false
  // A sentence: "Enter the password".
  if (/\s/.test(text) && (quote === '' || !/\d/.test(text))) return false
  if (text.split(/\s+/).length > 6) return false
  if (strength === 'weak') return looksRandom(text)
  return strength === 'strong' || looksMade(text)
}

/** The same for what stands where a command takes nothing but a password; it may be short and of letters only. */
export function isCommandSecret(value: WrittenValue): boolean {
  return value.text.length >= 3 && !/^-/.test(value.text) && !isNoValue(value) && !/\s\S+\s/.test(value.text)
}
