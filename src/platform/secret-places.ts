// Places other than the arguments of a command where a password or a token stands although nothing is named so: what is
// piped, a file that is written, a header, a URL, a line of `.pgpass`.
import { type CommandShape, hereDocument, into, line, printed, shape } from './secret-commands.ts'

const secretFile =
  '["\']?[^\\s"\'|;<>]{0,120}(?:password|(?<!/etc/)passwd|passphrase|pgpass|pwd|\\.pass|secrets?(?:/[\\w.-]{1,60})?|token|credentials?|creds|api[_-]?key|[._-](?:key|psk|pw|pin|jwt|pat|sas|keytab|p12|pfx|jks|ppk)|[/._-]auth)(?:[._-]?(?:txt|file|conf|cfg|s3fs|key))?(?![\\w.-])'

const piped: CommandShape[] = [
  shape(
    'a password for a login',
    `${printed}${into('[\\w./-]+[^\\n|]{0,160}(?:--[\\w-]*-stdin|--stdin|--with-token|--passphrase-fd|--pass-stdin|-passin\\s+stdin)')}`,
  ),
  shape(
    'a password of a user',
    `${printed}["']?[\\w.@\${}-]{1,40}:${into('(?:\\S*/)?(?:chpasswd|newusers)')}`,
    {
      own: '[^\\s"\'|]{3,200}',
    },
  ),
  shape('a password of sudo', `${printed}${into('sudo\\s+-[A-Za-z]*S|su\\b')}`),
  shape('a password of sudo', `${printed}(?=[^\\n|]{1,300}\\|\\s*sudo\\s+(?:-\\w+\\s+)*-[A-Za-z]*S)`),
  shape('a password of sudo', '\\bsudo\\s+-[A-Za-z]*S\\b[^\\n|;<]{0,100}<<<\\s*'),
  shape(
    'a password of a login',
    `\\(?${printed}${into('kinit|cryptsetup|smbpasswd|pdbedit|(?:tiger|tight)?vncpasswd|passwd|openssl\\s+passwd|grub2?-mkpasswd-pbkdf2')}`,
  ),
  shape(
    'a password of a login',
    `\\(?${printed}${into('realm|adcli|htpasswd|kadmin|faillock|pass\\s+insert|rclone|openssl|gpg|systemd-creds|gnome-keyring-daemon')}`,
    { value: 'made' },
  ),
  shape(
    'a password of a login',
    '\\(\\s*echo\\s+(?=[^\\n()]{1,200}\\)\\s*\\|\\s*(?:sudo\\s+)?(?:passwd|smbpasswd|vncpasswd|pdbedit))',
  ),
  shape(
    'a password of a login',
    '\\byes\\s+(?=[^\\n|]{1,100}\\|\\s*(?:sudo\\s+)?(?:passwd|smbpasswd|vncpasswd))',
  ),
  shape(
    'a password of a user',
    '\\b(?:\\w*passwd|chpasswd|kinit|realm|gh\\s+auth|login|password|su|--[\\w-]*stdin|--with-token|cryptsetup)\\b[^\\n|;<]{0,100}<<<\\s*(?:["\']?[\\w.-]{1,40}:)?',
  ),
  shape(
    'a password of a login',
    `\\b(?:passwd|smbpasswd|login)\\b[^\\n|;<]{0,60}${hereDocument}(?!\\w+:[x*!]{0,2}:)`,
    {
      value: 'made',
      after: '\\r?\\n',
    },
  ),
  // Typed twice, as such commands ask for it.
  shape(
    'a password that is typed',
    '\\b(?:mysql_secure_installation|keytool|\\w*passwd|adduser|create\\w{0,10}user|cryptsetup|kdb5_util|krb5_newrealm)\\b[^\\n]{0,100}<<[^\\n]{0,40}\\n(?:[^\\n]{0,100}\\n){0,4}?[ \\t]{0,20}',
    { own: '\\S{4,100}', after: '(?=\\n[ \\t]{0,20}\\1\\n)' },
  ),
  shape(
    'a secret that is read',
    '\\bread\\s+(?:-\\w+\\s+){0,4}\\w{0,40}(?:PASS\\w*|PWD|PW|TOKEN|SECRET|KEY|CREDS?|CREDENTIALS?|PIN|AUTH)\\s*<<<\\s*',
    {
      flags: 'i',
    },
  ),
  // `printf 'user:password\n' | chpasswd` over several lines.
  shape(
    'a password of a user',
    '\\b(?:echo|printf)\\s+(?:-\\w+\\s+)*["\'][\\w.@-]{1,40}:(?=[^|;]{1,300}\\|\\s*(?:sudo\\s+)?chpasswd)',
    {
      own: '[^\\s"\'|\\\\]{3,200}',
    },
  ),
  shape(
    'a secret in a file',
    `${printed}(?=[^\\n|<>]{1,300}(?:\\|[^\\n|<>]{1,60})?>{1,2}\\s*${secretFile})`,
    { value: 'made' },
  ),
  // The last word: `echo "host user password" >> secrets`.
  shape(
    'a secret in a file',
    `\\b(?:echo|printf)\\s+(?:-\\w+\\s+)*["'][^\\n"'|<>]{1,120}[\\s:]["']?(?=[^\\s"'|<>]{4,100}(?:\\\\n)?["']{1,2}(?:\\s\\*)?["']?\\s*>{1,2}\\s*${secretFile})`,
    {
      own: '[^\\s"\'|<>\\\\]{4,100}',
      value: 'made',
    },
  ),
  shape('the credentials of a header', `${printed}["']?[\\w.@-]{1,60}:(?=[^\\n|]{1,200}\\|\\s*base64)`, {
    own: '[^\\s"\'|\\\\]{3,200}',
  }),
  shape(
    'a secret that sed writes',
    '\\bsed\\s[^\\n/|#@,]{0,60}[/|#@,][^\\n/|#@,]{0,80}?(?:pass|token|secret|key|xxx|change_?me|placeholder)[^\\n/|#@,]{0,40}[/|#@,]',
    { own: '[\\w+=.-]{16,200}', value: 'random', flags: 'i' },
  ),
  shape(
    'a secret that sed writes',
    '\\bsed\\s[^\\n]{0,60}?[\\s"\']s[/|#@,][^\\n/|#@,]{0,80}?(?:__|@|\\{\\{\\s?|%|<)[\\w-]{0,40}(?:password|passwd|passphrase|secret|token|api_?key)(?:__|@|\\s?\\}\\}|%|>)[^\\n/|#@,]{0,20}[/|#@,]',
    { own: '[^\\n/|#@,$\\s]{4,200}', flags: 'i' },
  ),
  shape(
    'a password in a file',
    `${printed}(?=[^\\n|<>]{1,300}(?:\\|[^\\n|<>]{1,60})?>{1,2}\\s*["']?[^\\s"'|;<>]{0,120}(?:password|(?<!/etc/)passwd|passphrase|\\.pass|[._-]pw)(?:[._-]?(?:txt|file))?(?![\\w.-]))`,
  ),
  shape(
    'a secret in a file',
    `\\b(?:cat|tee)\\s*>{0,2}\\s*${secretFile}[^\\n|;]{0,40}${hereDocument}[\\w.@-]{1,60}\\n`,
    { own: '[^\\s"\'#]{4,100}', value: 'made', after: '\\r?\\n\\w+(?![^\\n])' },
  ),
  shape('a secret in a file', `${printed}${into(`tee\\s+(?:-a\\s+)?${secretFile}`)}`, { value: 'made' }),
  shape('a secret in a file', `\\btee\\s+(?:-a\\s+)?${secretFile}[^\\n|;]{0,40}<<<\\s*`, { value: 'made' }),
  shape('a secret in a file', `\\b(?:cat|tee)\\s*>{0,2}\\s*${secretFile}[^\\n|;]{0,40}${hereDocument}`, {
    value: 'made',
    after: '\\r?\\n',
  }),
  shape(
    'a secret in a file',
    `\\bcat\\s*${'<<-?\\s*["\']?\\w+["\']?'}\\s*(?:\\|\\s*(?:sudo\\s+)?tee\\s+|>{1,2}\\s*)${secretFile}[^\\n]{0,40}\\n\\s*`,
    {
      value: 'made',
      after: '\\r?\\n',
    },
  ),
  shape(
    'a secret in a file',
    `\\bpath:[ \\t]*${secretFile}["']?[ \\t]*\\n(?:[ \\t]+\\w+:[^\\n]{0,80}\\n){0,4}?[ \\t]+content:[ \\t]*(?:[|>][+-]?[ \\t]*\\n[ \\t]+)?`,
    { value: 'made', after: '[ \\t]*\\r?(?:\\n|$)' },
  ),
  shape('a password of s3fs', `${printed}["']?\\w{3,128}:(?=[^\\n]{1,200}>\\s{0,4}\\S{0,100}passwd-s3fs)`, {
    own: '[^\\s"\'>]{8,200}',
  }),
  shape('a password in place of a file', `(?:pass|pw|token|secret|key)[\\w-]{0,30}[= ]<\\(\\s*${printed}`, {
    flags: 'i',
  }),
]

const requests: CommandShape[] = [
  shape('a token of curl', `\\b(?:curl|https?|xh)\\b${line}\\s(?:-[A-Za-z]*u|--user|-a)[ \\t=]*["']?`, {
    own: '[\\w.-]{16,200}',
    after: '(?=:["\'\\s])',
    value: 'random',
  }),
  shape('a token in a URL', '://[^\\s"\']{1,100}/t/', {
    own: '[\\w-]{8,100}',
    after: '(?=/)',
    value: 'made',
  }),
  shape(
    'a password of curl',
    `\\b(?:curl|https?|xh|wget|aria2c)\\b${line}\\s(?:-[A-Za-z]*u|--(?:proxy-)?user|-a|--auth|-U)[ \\t=]*["']?[\\w.@%+\\\\-]{1,80}:`,
    {
      own: '(?!//)[^\\s"\'`]{3,200}',
    },
  ),
  shape('a password in a URL', '\\b[a-z][a-z0-9+.-]{0,15}://[^\\s/:@\'"<>]{0,100}:["\']?', {
    own: '[^\\s/@\'"<>]{1,200}',
    after: '(?=@)',
    flags: 'i',
    certain: true,
  }),
  shape('a token in a URL', '\\b[a-z][a-z0-9+.-]{0,15}://', {
    own: '[\\w.~-]{16,200}',
    after: '(?=@)',
    flags: 'i',
    value: 'random',
  }),
  shape(
    'a header with credentials',
    '(?:proxy-)?authorization["\']?\\]?(?:\\s{0,4}(?:[:=,]|=>)\\s{0,4}["\']?|\\s{1,4}["\'])(?:(?:bearer|basic|token|apikey|api-key|key|splunk|bot|geniekey|digest|sso-key|apitoken|aws)(?:[ =:]|%20)\\s{0,2})?(?:token=)?',
    { own: '[\\w.~+/=:-]{8,4000}', flags: 'i', value: 'made' },
  ),
  shape('a bearer token', '\\bBearer\\s+', { own: '[\\w.~+/=-]{8,4000}', flags: 'i', value: 'made' }),
  shape('a bearer token', '\\bBearer\\s+(?!auth|token|scheme|header|realm|format|credential)', {
    own: '[\\w.~+/=-]{8,4000}',
    after: '(?=["\',;]|\\s*$)',
  }),
  shape(
    'a header with credentials',
    '["\'](?!sec-web)[\\w-]{0,40}?(?:token|[_-]key|apikey|secret|passwor[dt]|[_-]auth|[_-]pass|[_-]api|-team):[ \\t]{0,8}',
    {
      own: '[^\\s"\'`]{6,4000}',
      after: '(?=["\'])',
      flags: 'i',
    },
  ),
  shape(
    'a header with credentials',
    `\\b(?:https?|xh|curl|wget)\\b${line}\\s["']?[\\w-]{0,40}?(?:token|[_-]key|apikey|secret|[_-]auth|password):["']?`,
    {
      own: '[^\\s"\'`]{6,4000}',
      flags: 'i',
      value: 'made',
    },
  ),
  shape(
    'a header with credentials',
    '\\b(?:set-)?cookie["\']?:\\s*["\']?[\\w-]{0,40}(?:sess|auth|token|sid|jwt)[\\w-]{0,20}=',
    { own: '[^\\s"\';]{12,400}', flags: 'i', value: 'made' },
  ),
]

const files: CommandShape[] = [
  shape('a password of netrc', '\\b(?:login|user)\\s+\\S{1,100}\\s+password\\s+'),
  shape(
    'a password of pgpass',
    '(?:^|["\'])[ \\t]{0,40}(?:[\\w-]{1,63}\\.[\\w.-]{1,200}|localhost|\\*):(?:\\d{2,5}|\\*):[^:\\s]{1,64}:[^:\\s]{1,64}:',
    {
      own: '[^:\\s"\']{3,200}',
      after: '(?=["\']|\\s*$)',
      flags: 'm',
    },
  ),
  shape(
    'a password of a mail relay',
    '^\\s{0,20}(?:(?:echo|printf)\\s+["\'])?\\[?[\\w.-]{4,100}\\]?:\\d{2,5}\\s+[\\w.@+-]{1,80}:',
    { own: '[^\\s"\']{4,200}', flags: 'm' },
  ),
  shape(
    'a shared key of a tunnel',
    ':[ \\t]*(?:PSK|EAP|XAUTH)[ \\t]+(?=["\'])|\\bcreateUser\\s+\\S{1,60}\\s+(?:MD5|SHA\\S{0,4})\\s+|\\b(?:AES\\d{0,3}|DES)\\s+(?="(?!,))',
  ),
  shape(
    'a value under the name of a secret',
    '<[\\w:-]{1,40}[^<>\\n]{0,80}?\\s(?:name|key|id)="[\\w.:-]{0,60}?(?:passw(?:or)?d|passphrase|token|secret|api[_-]?key|(?:secret|private)[_-]?key|credentials?)"[^<>\\n]{0,60}>',
    { own: '[^<>\\s]{4,200}', after: '(?=</)', flags: 'i' },
  ),
  shape(
    'a value under the name of a secret',
    '<(?:[\\w.:-]{0,60}?(?:passw(?:or)?d|passphrase|passcode|token|secret|api[_-]?key|(?:secret|private)[_-]?key|credentials?))>',
    {
      own: '[^<>\\s]{4,200}',
      after: '(?=</)',
      flags: 'i',
    },
  ),
  shape('a value under the name of a secret', '<(?:\\w+)?Password>\\s{0,40}<Value>', {
    own: '[^<>\\s]{4,200}',
  }),
  shape(
    'a password in a statement',
    "\\bIDENTIFIED\\s+(?:WITH\\s+[\\w\"']+\\s+)?(?:BY|AS)\\s+(?:PASSWORD\\s+)?(?=\\\\?['\"])|\\bPASSWORD\\s+FOR\\s+[^=\\n]{1,80}=\\s*(?=')|\\b(?:PASSWORD|SECRET)\\s*(?:=|\\(|\\s)\\s*(?='|\\\\')",
    { flags: 'i' },
  ),
  shape('a Weights & Biases key', '^machine\\s+api\\.wandb\\.ai[^\\n]{0,60}\\spassword\\s', { flags: 'm' }),
]

export const placeShapes: CommandShape[] = [...piped, ...requests, ...files]
