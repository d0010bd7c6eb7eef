// Commands with a password or a token among their arguments although nothing is named so: `docker login -p`,
// `mysql -p…`, `ldapsearch -w`.
import { valuePattern } from './secret-values.ts'

/** How the value is judged: `any` literal, one that is `made` (no word of a language), or one that looks `random`. */
export type CommandValue = 'any' | 'made' | 'random'

export interface CommandShape {
  what: string
  /** What stands before the value, followed by the four groups of `valuePattern`; or a value of its own in group 1. */
  pattern: RegExp
  value: CommandValue
  certain: boolean
}

export function shape(
  what: string,
  before: string,
  { value = 'any', own, after = '', flags = '', certain = false }: ShapeOptions = {},
): CommandShape {
  const pattern = new RegExp(`(?:${before})${own ? `(${own})` : valuePattern}${after}`, `gd${flags}`)
  return { what, pattern, value, certain }
}

interface ShapeOptions {
  value?: CommandValue
  /** A pattern of the value, where it is neither a quoted text nor a word. */
  own?: string
  after?: string
  flags?: string
  certain?: boolean
}

/** The rest of a command, also over several lines: up to 300 characters. */
export const line = '(?:[^\\n\\\\|;]|\\\\\\n?){0,300}'
const login =
  '\\b(?:docker|podman|nerdctl|buildah|skopeo|oras|crane\\s+auth|helm\\s+registry|singularity|apptainer(?:\\s+registry|\\s+remote)?)\\s+login\\b'
export const printed =
  '\\b(?:echo|printf|Write-Output)\\s+(?:-{1,2}[neE]*\\s+)*(?:["\']?%s(?:\\\\n)?["\']?\\s+)?'
/** That what is printed goes into a command; one filter may be between. */
export const into = (command: string) =>
  `(?=[^\\n|]{1,300}\\|(?:[^\\n|]{1,100}\\|)?\\s*\\(?(?:sudo\\s+(?:-\\w+\\s+)*)?(?:${command}))`
export const hereDocument = '<<-?\\s*["\']?\\w+["\']?[^\\n]{0,60}\\n\\s*'
const client = '\\b(?:mysql\\w*|mariadb[\\w-]*|mysqldump|mysqladmin)\\b'

const registries: CommandShape[] = [
  shape('a password of docker login', `${login}${line}\\s(?:-p[ \\t=]*|--password[= \\t]+)`, {
    certain: true,
  }),
  shape('a password of docker login', `${printed}${into(`${login}${line}--password-stdin`)}`, {
    certain: true,
  }),
  shape('a password of docker login', `${login}${line}--password-stdin[^\\n|;]{0,100}<<<\\s*`, {
    certain: true,
  }),
  shape('a password of docker login', `${login}${line}--password-stdin[^\\n|;]{0,100}${hereDocument}`, {
    certain: true,
  }),
  shape(
    'a password of docker login',
    `<<-?\\s*["']?\\w+["']?\\s*\\|\\s*(?:sudo\\s+)?${login}${line}--password-stdin[^\\n]{0,60}\\n\\s*`,
    { certain: true },
  ),
  shape('the credentials of a registry', '"auth"\\s*:\\s*"', { own: '[A-Za-z0-9+/=]{8,2000}', after: '"' }),
]

const clients: CommandShape[] = [
  // Of any command: `-u user -p password`, `--user user:password`.
  shape(
    'a password of a login',
    '\\s(?:-u|--user(?:name)?)[ \\t=]+["\']?[\\w.@-]{1,60}["\']?\\s+-p[ \\t=]*',
    {
      own: '(?!\\d+(?![\\w-]))[^\\s"\'`|;]{4,200}',
      value: 'made',
    },
  ),
  shape(
    'a password of a login',
    '\\s(?:-u|--user|--[a-z-]{0,20}creds|-{1,2}auth)[ \\t=]+["\']?[a-z][\\w.@-]{0,60}:',
    {
      own: '(?!//|\\d+(?![\\w-]))[^\\s"\'`|;]{4,200}',
      value: 'made',
    },
  ),
  shape(
    'an AWS secret key',
    'aws_?(?:secret_?access_?key|session_?token)["\']?\\s{0,8}(?:[:=]|\\s)\\s{0,8}["\']?',
    { own: '[\\w/+=]{40,4000}', flags: 'i', certain: true },
  ),
  shape('a password of sshpass', 'sshpass\\s+-p\\s*'),
  shape('a password of mysql', `${client}${line}\\s-p`),
  shape('a password of mysql', `\\bmysqladmin\\b${line}\\spassword\\s+`),
  shape('a password of redis', '(?:--|^[ \\t]*)(?:requirepass|masterauth)[ \\t]+', { flags: 'm' }),
  shape('a password of redis', `\\b(?:redis|valkey|keydb)-cli\\b${line}\\s(?:-a|--pass)\\s+`),
  shape(
    'a password of redis',
    '(?<![\\w-])(?:--)?(?:requirepass|masterauth|AUTH)\\s+["\']?(?!required|sufficient|optional)',
    { own: '[^\\s"\'`/|;]{4,200}', value: 'made' },
  ),
  shape('a password of redis', '(?:\\bACL\\s+SETUSER|^[ \\t]*user)\\s[^\\n]{0,100}\\s>', { flags: 'm' }),
  shape(
    'a password of smbclient',
    `\\b(?:smbclient|rpcclient|net|realm|smbget|winexe|wmic|crackmapexec)\\b${line}\\s-U\\s*["']?[\\w.\\\\/@-]{1,100}%`,
    {
      own: '[^\\s"\'$`]{3,200}',
    },
  ),
  shape(
    'a password of htpasswd',
    '\\b(?:htpasswd|mosquitto_passwd)\\s+(?=(?:-[a-zA-Z]+\\s+(?:\\d+\\s+)?){0,4}-[a-zA-Z]*b)(?:-[a-zA-Z]+\\s+(?:\\d+\\s+)?){1,5}(?:(?:[^\\s"\'|;]+|"")\\s+){1,2}',
    { after: '(?=["\']?\\s*(?:$|[|;>&]))', flags: 'm' },
  ),
  shape('a password of a user', '\\brabbitmqctl\\s+(?:add_user|change_password)\\s+[\\w.@-]+\\s+'),
  shape('a password of LDAP', `\\bldap[a-z]+\\b${line}\\s-w\\s*`),
  shape('a password of LDAP', `\\bipa-[a-z-]+install\\b${line}\\s-w[ \\t=]+`),
  shape(
    'a password of a login',
    `\\b(?:kdb5_util|kadmin(?:\\.local)?)\\b${line}\\s-(?:P|pw)\\s+|\\bnet-snmp-create-v3-user\\b${line}\\s-[AX]\\s+|\\bsmbclient\\s+//\\S{1,100}\\s+(?!-)|\\bsplunk\\b${line}\\s-auth\\s+["']?[\\w.-]{1,40}:|\\bxauth\\s+add\\s[^\\n]{1,100}MIT-MAGIC-COOKIE-1\\s+`,
  ),
  shape(
    'a password of a package index',
    '\\bpoetry\\s+config\\s+(?:--\\w+\\s+)*http-basic\\.\\S{1,60}\\s+\\S{1,60}\\s+|\\bbundle\\s+config\\s+(?:set\\s+)?(?:--\\w+\\s+)*\\S{1,100}\\s+["\']?[\\w.@-]{1,60}:|\\bpoetry\\s+config\\s+pypi-token\\.\\S{1,60}\\s+|\\bcargo\\s+login\\s+(?:--?\\w+(?:\\s+[a-z]\\w{0,30})?\\s+)*',
  ),
  shape('a password of LDAP', '\\bslappasswd\\s+(?:-\\w+\\s+)*-s\\s+'),
  shape(
    'a password of a login',
    `\\b(?:az\\s+(?:acr\\s+)?login|oc\\s+login|cf\\s+login|ibmcloud\\s+login|mongo\\w*|cqlsh|rabbitmqadmin|influx|couchbase-cli|twine\\s+upload|psexec(?:\\.exe)?|PsExec64|racadm|airflow\\s+users\\s+create|(?:create[_-]?user|add[_-]?user|user[- ]?(?:create|add))|landscape-config|devpi\\s+login|clickhouse-client|arangosh|ncftp\\w*)\\b${line}\\s(?:-p|/p)[ \\t=]+`,
  ),
  shape(
    'a password of a login',
    `\\b(?:ipmitool|mosquitto_[ps]ub|sqlcmd|bcp|zip|unzip|isql|osql)\\b${line}\\s-P\\s*`,
  ),
  shape(
    'a token of a login',
    `\\bgitlab-runner\\s+(?:register|verify|unregister)\\b${line}\\s-(?:r|t)[ \\t=]+`,
  ),
  shape(
    'a token of a login',
    '\\b(?:vault\\s+login|vault\\s+(?:operator\\s+)?unseal|ngrok\\s+(?:config\\s+add-)?authtoken|(?:ua|pro)\\s+attach|snyk\\s+auth|cloudflared\\s+service\\s+install|cloudflared\\s+tunnel\\s+run|tsh\\s+login|wandb\\s+login|comet\\s+login|hf\\s+auth\\s+login|doppler\\s+configure\\s+set\\s+token|conda\\s+token\\s+set|anaconda\\s+login|heroku\\s+auth:token|fastly\\s+profile\\s+create|linode-cli\\s+configure|rclone\\s+obscure|set-password|kaggle\\s+auth)\\s+(?:-{1,2}[\\w-]+(?:=\\S{1,100})?\\s+){0,4}(?![\\w.-]+=[^\\s=])',
    { value: 'made' },
  ),
  shape(
    'a password of a user',
    '\\b(?:openssl\\s+passwd|mkpasswd|caddy\\s+hash-password|grub-crypt)\\s+(?:-(?:m|salt|-method|-plaintext|p)[= ]\\s*(?:[\\w./$-]{1,40}\\s+)?|-{1,2}[\\w-]+(?:=\\S{1,100})?\\s+){0,4}',
  ),
  shape(
    'a secret that is stored',
    `\\baws\\s+ssm\\s+put-parameter\\b(?=${line}\\sSecureString\\b)${line}\\s--value[= \\t]+|${printed}${into('(?:gcloud\\s+secrets\\s+(?:create|versions\\s+add)|vault\\s+(?:kv\\s+put|write)|(?:docker|podman)\\s+secret\\s+create|aws\\s+ssm\\s+put-parameter)')}`,
  ),
  shape(
    'a secret that is stored',
    '\\s(?!(?:ttl|max_ttl|path|type|url|host|user|username|port|region|cas|version|mount)=)[\\w.-]{1,60}=(?<=\\bvault\\s+kv\\s+(?:put|patch)\\s[^\\n|;]{1,300})',
    { value: 'made' },
  ),
  shape(
    'a secret key of a store',
    '\\bmc\\s+(?:alias\\s+set|config\\s+host\\s+add)\\s+\\S{1,60}\\s+\\S{1,200}\\s+\\S{3,100}\\s+',
  ),
  shape('a password of an archive', `\\b7z[ar]?\\b${line}\\s-p`),
  shape('a password of lftp', '\\blftp\\b[^\\n|]{0,100}\\s-u\\s*["\']?[\\w.@-]+,', {
    own: '[^\\s"\'$`]{3,200}',
  }),
  shape(
    'a password of a network',
    `\\bwpa_passphrase\\s+\\S{1,60}\\s+|\\bnmcli\\b${line}\\s(?:[\\w.-]{0,40}\\.)?(?:password|psk)\\s+`,
  ),
  shape(
    'a password of openssl',
    '\\bopenssl\\s+(?:enc|aes-\\w+|des3)\\b[^\\n|;]{0,200}\\s-(?:k|pass)\\s+|\\bpass(?:in|out)?[ \\t=]+["\']?pass:|(?<![\\w-])-k\\s+pass:',
  ),
  shape(
    'a password of a user',
    '\\b(?:useradd|usermod|adduser)\\b[^\\n|;]{0,120}\\s(?:-p|--password)[ \\t=]+',
  ),
  shape('a password of a user', '\\bnet\\s+user\\s+(?:/\\w+\\s+)*[\\w.$"-]{1,60}\\s+(?!/)', {
    flags: 'i',
    after: '(?=\\s+/|\\s*$|"|\\s*[;|&])',
  }),
  shape('a password of a user', '\\bnet\\s+use\\s[^\\n|;]{0,200}/user:\\S{1,100}\\s+(?!/)', { flags: 'i' }),
  shape(
    'a password of a user',
    '\\bnet\\s+use\\s+(?:\\w:\\s+)?\\\\\\\\[^\\s]{1,150}\\s+(?!/)(?=[^\\n]{1,120}/user:)',
    { flags: 'i' },
  ),
  shape('a password of a user', '(?:\\s|^)/(?:pass(?:word)?|rp|savepass):', { flags: 'im' }),
  shape(
    'a password of a user',
    'ConvertTo-SecureString\\s+(?:-(?:String|AsPlainText|Force)\\s+)*|SecureStringFromText\\(|PSCredential\\s*\\(\\s*["\'][^"\'\\n]{1,80}["\']\\s*,\\s*(?=["\'])',
    { flags: 'i' },
  ),
  shape('a password that is typed', '\\bsend\\s+(?:--\\s+)?"', {
    own: '(?=[^"\\s]{0,60}\\d)[^"\\s$`\\\\]{6,200}',
    after: '(?=\\\\[rn]")',
  }),
  shape(
    'a password of a package',
    '\\bdebconf-set-selections\\b[^\\n]{0,160}\\spassword\\s|^[\\w-]+\\s+[\\w/-]+(?:pass|password|again)\\s+password\\s+',
    { flags: 'm' },
  ),
  shape('a password of a package', '(?:^|\\s)[\\w-]+/[\\w/-]+\\s+password\\s+'),
  shape('a passphrase of a key', `\\bssh-keygen\\b${line}\\s-[NP][ \\t]*`),
  shape(
    'a password of a login',
    '\\b(?:plink|pscp|psftp)(?:\\.exe)?\\b[^\\n|;]{0,200}\\s-pw\\s+|\\bxfreerdp3?\\b[^\\n|;]{0,200}\\s/p:|\\bipmitool\\b[^\\n|;]{0,200}\\suser\\s+set\\s+password\\s+\\d+\\s+|\\biscsiadm\\b[^\\n|;]{0,200}password\\s+-v\\s+',
  ),
  shape(
    'a password of a database',
    '(?:\\b(?:sqlplus|sqlldr|expdp|impdp|rman)\\s+(?:-\\S+\\s+){0,4}["\']?|jdbc:oracle:thin:)\\w{1,40}/',
    { own: '[^\\s"\'@/]{3,100}', after: '(?=["\'@\\s])' },
  ),
  shape(
    'a password of a login',
    '\\bftp\\b[^\\n]{0,100}<<[^\\n]{1,60}\\n(?:[^\\n]{0,100}\\n){0,3}?\\s*(?:quote\\s+PASS\\s+|user\\s+\\S{1,60}\\s+)',
  ),
  shape(
    'a password of a login',
    '\\.(?:login|auth|authenticate|add_password)\\(\\s*["\'][^"\'\\n]{1,80}["\']\\s*,\\s*(?=["\'])|\\bauth\\s*=\\s*\\(\\s*["\'][^"\'\\n]{1,80}["\']\\s*,\\s*(?=["\'])|HTTP(?:Basic|Digest)Auth\\(\\s*["\'][^"\'\\n]{1,80}["\']\\s*,\\s*(?=["\'])',
  ),
  shape(
    'a key in a program',
    '\\bFernet\\(b?(?=["\'])|\\bjwt\\.(?:en|de)code\\([^,\\n]{1,80},\\s*(?=["\'])|\\bhmac\\.new\\(b?(?=["\'])|\\bcreate_(?:super)?user\\((?:\\s*["\'][^"\'\\n]{0,80}["\']\\s*,){1,3}\\s*(?=["\'])|\\bcrypt\\(\\s*(?=["\'])|\\b(?:set_|check)?_?passw(?:or)?d\\(b?(?=["\'])',
    { value: 'made' },
  ),
  shape('a credential of a service', '\\bSetCredential=[\\w.-]{1,60}:'),
  shape('a key of a cluster', '\\s--?encrypt[= ]["\']?', { own: '[A-Za-z0-9+/]{22,44}={1,2}' }),
  shape('a password of a login', '--(?:Notebook|Server|Lab)App\\.(?:token|password)='),
  shape('a key of an agent', '\\s-k[= \\t]+["\']?', { own: '[0-9a-f]{32,64}(?![\\w/.-])', value: 'random' }),
  shape('a token of a login', `\\binflux\\b${line}\\s-t[ \\t=]+`, { value: 'made' }),
  shape(
    'a password of a login',
    '\\buser(?:name)?=[^,\\s"\']{1,60},(?:[\\w=.]{1,40},){0,4}pass(?:word|wd)?=',
  ),
  shape('a secret of an agent', '\\.jar\\b[^\\n|;]{0,200}\\s-(?:secret|storepass|keypass)\\s+'),
]

export const commandShapes: CommandShape[] = [...registries, ...clients]
