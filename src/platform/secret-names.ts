// Finds values that stand under the name of a secret, in the ways in which scripts and settings assign: `NAME=value`,
// `name = "value"`, `"name": "value"`, `--name value`, `ENV NAME value`, name and value as a pair.
import {
  isSecretValue,
  looksMade,
  looksRandom,
  type NameStrength,
  valuePattern,
  type WrittenValue,
  writtenValue,
} from './secret-values.ts'

/** Ends of names by how much they say. Longer ones stand before those that they begin with. */
const strongWords =
  'pass(?:word|wd|phrase|code|wrd)s?|secret_access_key|(?:client|app|application|shared|consumer|cookie|session|jwt|hmac|webhook|rpc|auth|oauth2?|token|master|api|http|join|signing|plugin)[_.-]?secret|secret[_-]?key[_-]?base|erlang[_.-]?cookie|(?<=[a-z0-9_.-])(?<!by|com|tres|sur|over|under|en|first|multi|single|low|high|band|two|one|render|shadow)pass|(?<=[_.-]|root|admin|user|db|sql|my|pg)pw|(?<=[a-z_.-])pwd|authtok'
const mediumWords =
  '(?:auth|access|refresh|bearer|id|session|bot|api|app|user|deploy|registration|join|cluster)?[_.-]?token|(?:api|access|secret|private|account|auth|encryption|encrypt|signing|master|shared|license|licence|app|application|storage|admin|ingest(?:ion)?|write|consumer|hmac|jwt|gossip|crypt|activation|registration|instrumentation|function|subscription|preshared|pre-shared|deploy|client|service|setup|enroll?(?:ment)?|bootstrap|provisioning|pre-?auth|integration|routing|web[_-]?hook|user|session|cookie)[_.-]?keys?|key[_-]data|(?<!load|import|manager\\.|same)credentials?|(?<=[_.-])creds?|(?<=[_.-]|tls|wpa)psk|(?<=[a-z0-9])[_.-]?secret|secret[_.-]?id|(?<=[_.-])(?:auth|pat|otp|sas|jwt)|(?<![a-z0-9_.-])(?:secret|pwd|pw|pass|psk|pin|bearer)|(?<=[_.-])pin|dockerconfigjson|webhook[_.-]?url|secret[_.-]?(?:string|text|value)'
const weakWords =
  '(?<!(?:public|pub|cache|host|object|kms|partition|primary|sort|foreign|gpg|apt|s3|websocket)[_.-]?)key|encrypt|app_?id'
/** `PASSWORD_1`, `TOKEN_PROD`, `password_value`. */
const suffixes = '\\d{1,2}|prod|production|dev|staging|default|value|plain|plaintext|raw|b64|base64'
const suffix = `(?:[_-]?(?:${suffixes}|file))?`
const word = `(?:(${strongWords})|(${mediumWords})|(${weakWords}))${suffix}(?![\\w-])`

/** Ends of whole names; a word of medium strength begins where a part of the name does, so that `clientToken` is none. */
const nameEnd = new RegExp(
  `(?:(?:${strongWords})|(?:(?<![a-z0-9])|(?=[_.-]))(?:${mediumWords}))(?:[_-]?(?:${suffixes}))?$`,
  'i',
)

/** Most names have none of these, and need no more. */
const anySecretWord =
  /pass|p(?:w|wd|sk|in|at)(?![a-z])|secret|token|key|cred|cookie|otp|sas|jwt|auth|bearer|webhook|docker/i

/** True for the name of a setting whose value is a secret: `http_password`, `api_key`. By the same words as in texts. */
export function isSecretName(name: string): boolean {
  return anySecretWord.test(name) && nameEnd.test(name)
}

/** True for the name of a field of the log that is masked whatever its value: also `passwordHash` and `nextToken`. */
export function isMaskedField(name: string): boolean {
  return /password|secret|token|authorization|private[-_]?key|credential/i.test(name) || isSecretName(name)
}

/** `--set x.password=v`, `"name": `, `os.environ["NAME"] = `, `NAME ?= `, `${NAME:-v}`, `=>`. */
const operator =
  '(\\\\{0,3}["\']?\\]?\\\\{0,3})([ \\t]{0,40}(?::[ \\t]{0,4}[A-Za-z_][\\w.|<>?[\\] ]{0,40}?=(?=[ \\t]{0,4}["\'])|(?::|\\?|\\+|\\|\\|)?=(?![=~])>?|:(?!:)[-=]?)[ \\t]{0,40}(?:\\*{2}|`)?)'

export interface NamedValue {
  /** Where the value begins and ends, without its quotes. */
  start: number
  end: number
}

/** `bytes.fromhex('…')`, `SecretStr("…")`, `b'…'`, `"""…"""`: a literal all the same. */
const wrapped =
  '(?:(?:bytes\\.fromhex|(?:base64\\.)?b64decode|Buffer\\.from|atob|unhexlify|SecretStr|Secret|str|sensitive|base64encode|to_base64)\\()?[bur]?(?=["\'])(?:""(?=")|\'\'(?=\'))?'
const assigned = new RegExp(`${word}${operator}(?:${wrapped})?${valuePattern}`, 'gid')
/** `--name value`, `-Password value`, `"--name", "value"`, `ENV NAME value`, `setx NAME value`, `NAME value` on a line. */
const spaced = new RegExp(`${word}["']?(?:[ \\t]{1,8}|["'],[ \\t]{0,4}(?=["']))${valuePattern}`, 'gid')
/** What stands before such a name: the dashes of a flag, or a command that sets. */
const flagBefore = /(?:^|[^\w-])--?[\w.-]*$/
const setterBefore =
  /(?:^|[^\w-])(?:(?:set|reset|change|update|new)[-_][\w-]*|(?:ENV|--set|ARG|setx|setenv|set|SetEnv|put|add|modify|config|configure|create)[ \t](?:[^|;=]*[ \t])?[\w./:@-]*)$/
/** Nothing, the command that writes the line, or SQL. */
const lineBefore =
  /(?:^[ \t]*(?:(?:echo|printf)[ \t]+["'])?|\\n|\b(?:with|encrypted|identified|login|user)\s)[\w.-]*$/i
const lineAfter = /^(?:\\n)?["']?[ \t]*(?:[;#>|]|\r?\n|$)/
/** The value on the next line: a block of YAML (`password: |`), or a literal in quotes. */
const below = new RegExp(
  `${word}["']?[ \\t]{0,40}(?::[ \\t]{0,8}[|>][+-]?\\d?[ \\t]{0,8}\\r?\\n[ \\t]{1,40}|[:=][ \\t]{0,8}\\\\?\\r?\\n[ \\t]{1,40}(?=["']))${valuePattern}(?=[ \\t]*\\r?(?:\\n|$))`,
  'gid',
)
/** `name: DB_PASSWORD` followed by `value: x`, in YAML, JSON, HCL and XML. */
const paired = new RegExp(
  `(?<![\\w-])(?:name|key|id)["']?\\s{0,4}[:=]\\s{0,4}["']?[\\w.-]{0,60}?${word}["']?(?:,\\s{0,40}|\\s{1,40})["']?value["']?\\s{0,8}[:=]\\s{0,4}${valuePattern}`,
  'gid',
)
/** `getenv("NAME", "default")`, `SetEnvironmentVariable("NAME", "value")`, `put('name', 'value')`. */
const passed = new RegExp(
  `[\\w)]\\(\\s{0,4}["'][\\w.-]{0,60}?${word}["']\\s{0,4},\\s{0,4}(?=["'])${valuePattern}`,
  'gid',
)
/** `password = a || "x"`, `getenv("PASSWORD") or "x"`, `password = a ? b : "x"`. */
const otherwise = new RegExp(
  `${word}["'\\])]{0,3}[ \\t]{0,4}(?:[:=)]|,)[^\\n;{}]{0,120}?(?:\\|\\||\\?\\?|\\bor\\b|[ \\t]:)[ \\t]{0,4}(?=["'])${valuePattern}`,
  'gid',
)
/** `PASSWORD=$(echo x | base64 -d)`. */
const decoded = new RegExp(
  `${word}=["']?(?:\\$\\(|\`)\\s*(?:echo|printf)\\s+(?:-\\w+\\s+)*(?:["']?%s["']?\\s+)?${valuePattern}`,
  'gid',
)
/** `the password is x`, `password: x` in a comment. */
const inWords = new RegExp(
  `${word}[ \\t]{1,4}(?:is|was|will be)[ \\t]{0,4}:?[ \\t]{1,4}${valuePattern}`,
  'gid',
)

/** Values under the names of secrets, in the order of the kinds. */
export function namedValues(text: string): NamedValue[] {
  return [
    ...found(text, assigned, (match) => isAssigned(text, match)),
    ...found(text, spaced, (match) => isSpaced(text, match)),
    ...found(text, below, () => true),
    ...found(text, paired, () => true),
    ...found(text, passed, () => true),
    ...found(text, otherwise, () => true),
    ...found(text, decoded, () => true),
    ...found(text, inWords, (match) => isMadeWord(match)),
  ]
}

function found(text: string, pattern: RegExp, isMeant: (match: RegExpExecArray) => boolean): NamedValue[] {
  const values: NamedValue[] = []
  pattern.lastIndex = 0
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const first = match.length - 4
    const group = [0, 1, 2, 3].map((n) => first + n).find((n) => match?.[n] !== undefined)
    const span = group === undefined ? undefined : match.indices?.[group]
    if (span && isSecret(match, writtenValue(match, first)) && isMeant(match)) {
      values.push({ start: span[0], end: span[0] + writtenValue(match, first).text.length })
      pattern.lastIndex = span[1]
    } else {
      // The value may be a name: `TOKEN=PASSWORD=x`.
      pattern.lastIndex = span ? span[0] : match.index + 1
    }
  }
  return values
}

function isSecret(match: RegExpExecArray, value: WrittenValue): boolean {
  // `password_file=Hunter2`: the name of a file has no digit, or a dot or a slash.
  if (/[_-]?file["']?\W/i.test(match[0].slice(0, 60)) && !/^[^./]*\d[^./]*$/.test(value.text)) return false
  return isSecretValue(value, strengthOf(match)) || isPassphrase(match, value)
}

/** `PASSPHRASE='winter apple tree'`: words, but no sentence about a password. */
function isPassphrase(match: RegExpExecArray, { text, quote }: WrittenValue): boolean {
  return (
    match[1] !== undefined &&
    quote !== '' &&
    (/^(?!PROMPT)[A-Z_]+=["']/.test(match[0]) ||
      (/^\w+[ \t=]/.test(match[0]) &&
        flagBefore.test(match.input.slice(Math.max(0, match.index - 60), match.index)))) &&
    /^[a-z]{2,12}(?: [a-z]{2,12}){1,5}$/i.test(text) &&
    !text.split(' ').some((one) => proseWord.test(one) || sentenceWord.test(one))
  )
}

function strengthOf(match: RegExpExecArray): NameStrength {
  if (match[1] !== undefined) return 'strong'
  if (match[2] === undefined) return 'weak'
  // `API_TOKEN=` is the variable itself; `token:` may be a setting.
  const isVariable = /^(?:[A-Z]*_)?(?:TOKEN|SECRET|(?:API|ACCESS|SECRET|PRIVATE)_?KEY)=/.test(match[0])
  const isCompound =
    /[A-Z0-9]_$/.test(match.input.slice(Math.max(0, match.index - 2), match.index)) ||
    /^[A-Z]*_/.test(match[0])
  return isVariable && isCompound ? 'strong' : 'medium'
}

/** A bare word in prose is none: a digit, a sign or both cases make it one. */
function isMadeWord(match: RegExpExecArray): boolean {
  const value = writtenValue(match, match.length - 4)
  return value.quote !== '' || looksMade(value.text)
}

/** What follows a flag in a sentence about it: "`--password to set one`". */
const proseWord =
  /^(?:to|for|is|are|was|and|or|with(?:out)?|instead|together|option|flag|from|via|when|while|if|in|on|as|at|by|of|must|should|may|can(?:not)?|will|not|has|argument|value|given|used?|using|via|than|then|be|it|that|this|the|an?|so|but|because|which|does|means)$/i

/** What a message or a prompt has among its words. */
const sentenceWord =
  /^(?:pass\w*|secret|token|key|credentials?|enter|type|give|set|please|your|you|we|user\w*|login|root|missing|invalid|incorrect|wrong|bad|empty|no|required|default|changed?|updated?|reset|expired|minimum|too|new|old|again|file|found)$/i

function isSpaced(text: string, match: RegExpExecArray): boolean {
  const before = /[^\n]*$/.exec(text.slice(Math.max(0, match.index - 160), match.index))?.[0] ?? ''
  const isSet = flagBefore.test(before) || setterBefore.test(before)
  if (!isMadeWord(match)) {
    // A password may be a word, but not in a sentence or a comment.
    const { text: value } = writtenValue(match, match.length - 4)
    return (
      isSet &&
      !/(?:set|reset|change|update|new)[-_][\w-]*$/.test(before) &&
      match[1] !== undefined &&
      !/^\s*(?:#|\/\/|\*)/.test(before) &&
      !proseWord.test(value) &&
      value.length >= 6
    )
  }
  if (isSet) return true
  const end = match.index + match[0].length
  return lineBefore.test(before) && lineAfter.test(text.slice(end, end + 40))
}

function isAssigned(text: string, match: RegExpExecArray): boolean {
  const [, , , , close = '', operation = ''] = match
  const value = writtenValue(match, 6)
  const name = /[$\w.{-]*$/.exec(text.slice(Math.max(0, match.index - 60), match.index))?.[0] ?? ''
  const after = text.slice(match.index + match[0].length, match.index + match[0].length + 200)
  // `${NAME:-value}` is a value; `"$NAME" = x` and `$NAME: x` are questions and texts about one.
  if (/^:[-=]$/.test(operation) && name.startsWith('$')) return true
  if (operation === ':-') return false
  // Markdown: `password: \`x\``; elsewhere a command.
  if (operation.endsWith('`') && !(/^: `$/.test(operation) && after.startsWith('`'))) return false
  if (name.startsWith('$') && !isScriptVariable(text, match.index - name.length, operation)) return false
  // `password = password`, `nextToken: nextToken`: code.
  const own = text.slice(match.index - name.length, match.indices?.[4]?.[0])
  if (value.text === own || value.text === own.replace(/^.*\./, '')) return false
  if (value.quote !== '') return true
  // `"name": variable` of a program; JSON has quotes around its strings.
  if (close !== '' && !/\d/.test(value.text)) return false
  // `name:value` without a space is an address or a header.
  if (/:$/.test(operation)) return close !== '' || looksRandom(value.text)
  const isSpaced = /[ \t]$/.test(operation)
  if (!isSpaced)
    return (!/^\s*\)/.test(after) && !/^\(/.test(after) && !/^,\s/.test(after)) || /\d/.test(value.text)
  if (/^\(/.test(after)) return false
  // A word after a space: the rest of the line is empty, or the word is no word of a language.
  return /^[\s,;"'}\\]*(?:#.*)?(?:\n|$)|^["']\s*[>|]/.test(after) || looksMade(value.text)
}

/** PowerShell and PHP begin a variable's name with `$` where they assign. */
function isScriptVariable(text: string, start: number, operation: string): boolean {
  const before = text.slice(Math.max(0, start - 40), start)
  return operation.trim() === '=' && /(?:^|[\n;{(]|\])[ \t]*$/.test(before)
}
