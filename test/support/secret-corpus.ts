// Samples of secrets as they occur in scripts, and lines of scripts that hold none. All values are made up, and are put
// together here so that scanners of this repository do not report them.
import { createHash } from 'node:crypto'

/** Characters that look random, always the same. */
function chars(length: number, alphabet: string, seed: string): string {
  let out = ''
  for (let n = 0; out.length < length; n++)
    for (const byte of createHash('sha512').update(`${seed}${n}`).digest())
      out += alphabet[byte % alphabet.length]
  return out.slice(0, length)
}

const upper = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const lower = upper.toLowerCase()
const alnum = `${upper}${lower}0123456789`
const a = (length: number) => chars(length, alnum, 'a')
const caps = (length: number) => chars(length, `${upper}234567`, 'c')
const hex = (length: number) => chars(length, '0123456789abcdef', 'h')
const small = (length: number) => chars(length, `${lower}0123456789`, 's')
const b64 = (text: string) => Buffer.from(text).toString('base64')
const pem = (what: string) => `-----BEGIN ${what}-----\n${a(64)}\n${a(40)}\n-----END ${what}-----`
const pass = `hunter${2}-${'old'}`
const jwt = `${'ey'}J${a(20)}.${'ey'}J${a(60)}.${a(43)}`
const serviceAccount = JSON.stringify({
  type: 'service_account',
  private_key_id: hex(40),
  private_key: `${pem('PRIVATE KEY')}\n`,
  client_email: 'robot@project.iam.gserviceaccount.com',
})

/** What must not be shown of a sample is `value`; by default the password. */
export interface SecretSample {
  name: string
  text: string
  value: string
}

function sample(name: string, text: string, value: string): SecretSample {
  return { name, text, value }
}

const token = (name: string, value: string, text = (v: string) => `export TOKEN_OF_IT="${v}"`) =>
  sample(name, text(value), value)
const plain = (name: string, text: string) => sample(name, text, pass)

export const secretSamples: SecretSample[] = [
  token('AWS access key', `${'AK'}IA${caps(16)}`, (v) => `aws configure set aws_access_key_id ${v}`),
  token('AWS secret key', a(40), (v) => `AWS_SECRET_ACCESS_KEY=${v} aws s3 ls`),
  token('AWS secret key, set', a(40), (v) => `aws configure set aws_secret_access_key ${v}`),
  token('AWS session token', `${'IQo'}Jb3JpZ2lu${a(300)}`, (v) => `aws_session_token = ${v}`),
  token(
    'AWS session token alone',
    `${'Fwo'}GZXIvYXdz${a(200)}=`,
    (v) => `curl -H 'X-Amz-Security-Token: ${v}' x`,
  ),
  sample('GCP service account', `cat >/key.json <<'E'\n${serviceAccount}\nE`, a(64)),
  sample(
    'GCP service account in base64',
    `echo ${b64(serviceAccount)} | base64 -d >/key.json`,
    b64(serviceAccount),
  ),
  token('Google API key', `${'AI'}za${a(35)}`, (v) => `curl "https://maps.example.com/?key=${v}"`),
  token('Google OAuth token', `${'ya'}29.${a(60)}`, (v) => `gcloud --access-token ${v}`),
  ...['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY', 'OPENSSH PRIVATE KEY', 'ENCRYPTED PRIVATE KEY'].map(
    (what) => sample(`PEM ${what}`, `cat >/k <<'E'\n${pem(what)}\nE`, a(64)),
  ),
  sample('PEM on one line', `KEY="${pem('PRIVATE KEY').replaceAll('\n', '\\n')}"`, a(64)),
  sample('PEM in base64', `KEY=${b64(pem('PRIVATE KEY'))}`, b64(pem('PRIVATE KEY'))),
  token('GitHub token', `${'gh'}p_${a(36)}`, (v) => `git clone https://${v}@github.com/x/y`),
  token('GitHub fine-grained token', `${'git'}hub_pat_${a(22)}_${a(59)}`),
  token('GitLab token', `${'gl'}pat-${a(20)}`, (v) => `curl -H "PRIVATE-TOKEN: ${v}" https://gitlab.com/api`),
  token('Slack token', `${'xo'}xb-1234567890-1234567890-${a(24)}`),
  token(
    'Slack webhook',
    `T0${caps(8)}/B0${caps(8)}/${a(24)}`,
    (v) => `curl -d x https://hooks.${'slack'}.com/services/${v}`,
  ),
  token('Hugging Face token', `${'h'}f_${a(34)}`, (v) => `huggingface-cli login --token ${v}`),
  token('npm token', `${'np'}m_${a(36)}`, (v) => `echo "//registry.npmjs.org/:_authToken=${v}" >.npmrc`),
  token('PyPI token', `${'py'}pi-AgE${a(80)}`, (v) => `twine upload -u __token__ -p ${v} dist/*`),
  token('Docker Hub token', `${'dckr'}_pat_${a(27)}`, (v) => `docker login -u me -p ${v}`),
  token('NGC key', `${'nv'}api-${a(64)}`, (v) => `docker login -u '$oauthtoken' -p ${v} nvcr.io`),
  token('NGC key of old', a(84), (v) => `export NGC_API_KEY=${v}`),
  token('W&B key', hex(40), (v) => `WANDB_API_KEY=${v} python train.py`),
  token('W&B login', hex(40), (v) => `wandb login ${v}`),
  token('OpenAI key', `${'s'}k-proj-${a(48)}`, (v) => `OPENAI_API_KEY=${v}`),
  token('Anthropic key', `${'s'}k-ant-api03-${a(80)}`),
  token('Stripe key', `${'sk'}_live_${a(24)}`),
  token('Stripe test key', `${'rk'}_test_${a(24)}`),
  token('Twilio token', hex(32), (v) => `TWILIO_AUTH_TOKEN=${v}`),
  token('SendGrid key', `${'S'}G.${a(22)}.${a(43)}`),
  token('JSON web token', jwt, (v) => `echo ${v} >/run/jwt`),
  token('bearer header', small(40), (v) => `curl -H "Authorization: Bearer ${v}" https://api.example.com`),
  token(
    'basic header',
    b64(`robot:${pass}`),
    (v) => `curl -H 'Authorization: Basic ${v}' https://api.example.com`,
  ),
  token('API key header', small(32), (v) => `curl -H 'X-Api-Key: ${v}' https://api.example.com`),
  plain('basic auth in a URL', `pip install --index-url https://robot:${pass}@pypi.example.com/simple x`),
  plain('basic auth of a proxy', `export https_proxy=http://robot:${pass}@proxy:3128`),
  plain('curl -u', `curl -fsSL -u robot:${pass} https://artifacts.example.com/x.tgz`),
  plain('docker login -p', `docker login -u robot -p ${pass} registry.example.com`),
  plain('docker login --password', `docker login --username robot --password ${pass} registry.example.com`),
  plain('docker login over two lines', `docker login \\\n  -u robot \\\n  -p ${pass}`),
  plain('docker login from echo', `echo ${pass} | docker login -u robot --password-stdin`),
  plain(
    'docker login from echo, in quotes',
    `echo -n "${pass}" | sudo docker login -u robot --password-stdin r.example.com`,
  ),
  plain('docker login from printf', `printf '%s' '${pass}' | docker login -u robot --password-stdin`),
  plain('docker login from a here string', `docker login -u robot --password-stdin <<< '${pass}'`),
  plain('podman login', `podman login -u robot -p ${pass} quay.io`),
  plain('a variable PASSWORD', `PASSWORD=${pass}`),
  plain('a variable in quotes', `export DB_PASSWORD="${pass}"`),
  plain('a variable of docker run', `docker run -d -e MYSQL_ROOT_PASSWORD=${pass} mysql:8`),
  plain('PGPASSWORD', `PGPASSWORD='${pass}' psql -h db -U app`),
  plain('a short name', `DB_PASS=${pass}`),
  plain('--password', `mongorestore --host db --username app --password ${pass} dump/`),
  plain('--password=', `createuser --password=${pass} app`),
  plain('mysql -p', `mysql -h db -u app -p${pass} app`),
  plain('sshpass', `sshpass -p ${pass} ssh robot@host`),
  plain('chpasswd', `echo "ubuntu:${pass}" | chpasswd`),
  plain('YAML password', `auth:\n  username: robot\n  password: ${pass}\n`),
  token('YAML api_key', small(32), (v) => `api_key: ${v}`),
  plain('JSON password', `{"username": "robot", "password": "${pass}"}`),
  plain('ini password', `[db]\nuser = app\npassword = ${pass}\n`),
  plain('netrc', `machine git.example.com login robot password ${pass}`),
  plain('az login', `az login --service-principal -u 1-2 -p ${pass} --tenant t`),
  plain('mongo', `mongosh db -u app -p ${pass}`),
  plain('ipmitool', `ipmitool -H bmc -U admin -P ${pass} chassis status`),
  plain('mysqladmin', `mysqladmin -u root password '${pass}'`),
  plain('kinit', `echo ${pass} | kinit robot@REALM`),
  plain('passwd --stdin', `echo '${pass}' | passwd --stdin root`),
  plain('realm join', `realm join -U admin corp.example <<< '${pass}'`),
  plain('vault login', `vault login s.${pass}`),
  plain('ngrok', `ngrok config add-authtoken ${pass}`),
  sample('gossip key', `consul agent -encrypt ${a(43)}=`, a(43)),
  plain('in place of a file', `rsync --password-file=<(echo ${pass}) host::x /x`),
  plain('JSON in JSON', `{"body":"{\\"password\\":\\"${pass}\\"}"}`),
  plain('escaped quote', `password="a\\"${pass}"`),
  plain('nmcli', `nmcli dev wifi connect net password ${pass}`),
  plain('7z', `7z x -p${pass} data.7z`),
  plain('unzip', `unzip -P ${pass} data.zip`),
  plain('redis option', `redis-server --requirepass ${pass}`),
  plain('s3fs', `echo "robot:${pass}" > /etc/passwd-s3fs`),
  plain('expect', `expect -c 'send "${pass}\\r"'`),
  plain('XML', `<password>${pass}</password>`),
  plain('PW', `PW="${pass}"`),
  plain('pgpass', `db.example.com:5432:app:robot:${pass}`),
  plain('connection string', `Server=db;User Id=app;Password=${pass};Encrypt=true`),
  plain('database URL', `DATABASE_URL=postgres://app:${pass}@db.example.com:5432/app`),
  plain('redis URL', `REDIS_URL=redis://:${pass}@cache:6379/0`),
  token('htpasswd line', `$${'apr'}1$${a(8)}$${a(22)}`, (v) => `echo 'robot:${v}' >>/etc/nginx/htpasswd`),
  plain('htpasswd -b', `htpasswd -bc /etc/nginx/htpasswd robot ${pass}`),
  token('kubeconfig token', small(48), (v) => `users:\n- name: x\n  user:\n    token: ${v}\n`),
  token('kubeconfig key', b64(pem('RSA PRIVATE KEY')), (v) => `    client-key-data: ${v}\n`),
  token(
    'kubeadm token',
    `${small(6)}.${small(16)}`,
    (v) => `kubeadm join 10.0.0.1:6443 --token ${v} --discovery-token-ca-cert-hash sha256:${hex(64)}`,
  ),
  token(
    'registry credentials',
    b64(`robot:${pass}`),
    (v) => `{"auths": {"r.example.com": {"auth": "${v}"}}}`,
  ),
  token('Tailscale key', `${'ts'}key-auth-${a(12)}-${a(24)}`, (v) => `tailscale up --authkey=${v}`),
  token(
    'age key',
    `${'AGE'}-SECRET-KEY-1${chars(58, `${upper}0123456789`, 'g')}`,
    (v) => `echo ${v} >key.txt`,
  ),
  token('Vault token', `${'hv'}s.${a(24)}`, (v) => `VAULT_TOKEN=${v} vault read x`),
  token('Databricks token', `${'da'}pi${hex(32)}`),
  token(
    'Azure storage key',
    `${a(86)}==`,
    (v) => `DefaultEndpointsProtocol=https;AccountName=x;AccountKey=${v};`,
  ),
  token('signed URL', a(44), (v) => `azcopy cp "https://x.blob.core.windows.net/y?sv=2022-11-02&sig=${v}" .`),
  token(
    'Telegram token',
    `123456789:${'AA'}${a(33)}`,
    (v) => `curl https://api.telegram.org/bot${v}/sendMessage`,
  ),
  token(
    'swarm token',
    `${'SWM'}TKN-1-${small(50)}-${small(25)}`,
    (v) => `docker swarm join --token ${v} 10.0.0.1:2377`,
  ),
  token('WireGuard key', `${a(43)}=`, (v) => `[Interface]\nPrivateKey = ${v}\n`),
]

/** Lines in the manner of startup scripts, cloud-init, CI and documentation: none holds a secret. */
export const harmlessLines: string[] = `
#!/bin/bash
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
unzip -P "$ARCHIVE_PASSWORD" data.zip
vault login -method=aws role=agent
vault login -no-print "$VAULT_TOKEN"
mkdir -p /srv/data && zip -r backup.zip /srv/data
nmcli connection show --active
expect -c 'send "yes\\r"'
<token>\\${token}</token>
tcpdump -p eth0; mongod --port 27017
apt-get update && apt-get install -y --no-install-recommends ca-certificates curl gnupg lsb-release
curl -fsSL https://download.docker.com/linux/ubuntu/gpg | gpg --dearmor -o /etc/apt/keyrings/docker.gpg
echo "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.gpg] https://download.docker.com/linux/ubuntu jammy stable" >/etc/apt/sources.list.d/docker.list
TOKEN=$(curl -sX PUT http://169.254.169.254/latest/api/token -H "X-aws-ec2-metadata-token-ttl-seconds: 21600")
curl -s -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/instance-id
curl -s -H "Metadata-Flavor: Google" http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token
export AWS_SECRET_ACCESS_KEY=$(aws secretsmanager get-secret-value --secret-id train/key --query SecretString --output text)
PASSWORD=\${PASSWORD:?set PASSWORD first}
PASSWORD="$(aws ssm get-parameter --name /train/password --with-decryption --query Parameter.Value --output text)"
DB_PASSWORD="$DB_PASSWORD" docker compose up -d
aws secretsmanager get-secret-value --secret-id registry --query SecretString --output text | docker login -u robot --password-stdin
aws ecr get-login-password --region us-west-2 | docker login --username AWS --password-stdin 123456789012.dkr.ecr.us-west-2.amazonaws.com
echo "$DOCKER_PASSWORD" | docker login -u "$DOCKER_USER" --password-stdin
cat /run/secrets/registry | docker login --username robot --password-stdin registry.example.com
docker login -u robot -p "$PASSWORD" registry.example.com
docker login --username robot --password-stdin < /run/secrets/registry
gcloud secrets versions access latest --secret=wandb-key
gcloud auth activate-service-account --key-file=/etc/key.json
gcloud auth print-access-token | docker login -u oauth2accesstoken --password-stdin https://us-docker.pkg.dev
vault kv get -field=password secret/train/registry
kubectl create secret generic registry --from-file=.dockerconfigjson=$HOME/.docker/config.json
kubectl get secret registry -o jsonpath='{.data.password}' | base64 -d
kubectl create token build-robot --duration=10m
docker build --secret id=npmrc,src=$HOME/.npmrc -t app .
docker run --rm -e WANDB_API_KEY -e HF_TOKEN -v /data:/data app python train.py
docker run --env-file /run/secrets/env app
docker pull determinedai/environments@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
echo "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  /tmp/agent.tgz" | sha256sum -c -
echo 'd41d8cd98f00b204e9800998ecf8427e  x' | md5sum -c
git checkout 6ec166f0b7f1d57f4e7cdb90c3a1a5c4d6e8f901
git clone git@github.com:owner/repository.git
git clone https://github.com/owner/repository.git
git config --global credential.helper store
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0mVfW8Q7k1R9k8sTz2l3oY4cX5vB6nM7kL8jH9gF0d user@host
ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7vbqajDhA8Hq3g5XcQeYb0k5g9b1m2n3o4p5q6r7s8t9u0v user@host
-----BEGIN CERTIFICATE-----
MIIBszCCAVmgAwIBAgIUZ3Jlcnkgb2YgbWFkZSB1cCBieXRlcyBhcmUgbm90IHVzZWQwCgYIKoZI
-----END CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
-----BEGIN CERTIFICATE REQUEST-----
certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJzekNDQVZtZ0F3SUJBZ0lV
uuid=123e4567-e89b-12d3-a456-426614174000
UUID=0a1b2c3d-4e5f-6789-abcd-ef0123456789 /data ext4 defaults,nofail 0 2
integrity="sha512-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a089f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08=="
read -rsp "Password: " PASSWORD
echo "Enter the password for the registry:"
echo "usage: $0 --token TOKEN --password PASSWORD"
echo "  --password <password>   the password to use"
  --token-file FILE   file with the token (default: ~/.token)
if [ -z "\${TOKEN:-}" ]; then echo "TOKEN is not set" >&2; exit 2; fi
test -n "$API_KEY" || { echo "API_KEY must be set" >&2; exit 1; }
unset PASSWORD TOKEN SECRET
: "\${HF_TOKEN:?}" "\${WANDB_API_KEY:?}"
while getopts "u:p:t:" opt; do case $opt in p) password=$OPTARG ;; t) token=$OPTARG ;; esac; done
token=$1; secret=$2
password=$(cat "$CREDENTIALS_DIRECTORY/password")
password_file=/run/secrets/password
export PIP_INDEX_URL=https://\${PYPI_USER}:\${PYPI_PASSWORD}@pypi.example.com/simple
export https_proxy=http://proxy.example.com:3128 no_proxy=169.254.169.254,localhost
curl -fsS -H "Authorization: Bearer $TOKEN" https://api.example.com/v1/me
curl -fsS -u "$USER:$PASSWORD" https://artifacts.example.com/x.tgz -o /tmp/x.tgz
curl --retry 5 --retry-delay 2 -o /usr/local/bin/tool https://example.com/tool-1.2.3
wget -qO- https://example.com:8443/install.sh | bash -s -- --yes
mysql -u root -p"$MYSQL_ROOT_PASSWORD" -e 'select 1'
mysql -u app -p app < schema.sql
psql "postgres://app@db.example.com:5432/app?sslmode=require"
ssh -o StrictHostKeyChecking=no -p 2222 ubuntu@10.0.0.5 uptime
ssh -i ~/.ssh/id_ed25519 -N -L 8080:localhost:8080 user@host
mkdir -p /etc/determined && chmod 0700 /etc/determined
rsync -a --password-file=/etc/rsync.secret data/ host::data
openssl req -new -key /etc/ssl/private/server.key -out server.csr -passin file:/run/pass
openssl x509 -noout -fingerprint -sha256 -in chain.crt
passwd -l root
chpasswd < /run/secrets/users
echo "$USERNAME:$PASSWORD" | chpasswd
usermod -p '!' root
sed -i 's/^password=.*/password=/' /etc/app.conf
sed -i "s/^#\\?PasswordAuthentication .*/PasswordAuthentication no/" /etc/ssh/sshd_config
grep -q '^PasswordAuthentication no' /etc/ssh/sshd_config
PermitRootLogin prohibit-password
auth required pam_unix.so try_first_pass
lock_passwd: true
ssh_pwauth: false
password: \${DB_PASSWORD}
password: {{ db_password }}
password: "<your password>"
api_key: !vault secret/train#api_key
secretName: registry
tokenizer: gpt2
max_tokens: 4096
token_count=4096
pad_token_id=0
--max-token 4096 --tokenizer-mode auto
key: value
apiVersion: v1
access_key_rotation: 90d
public_key=/etc/ssl/public.pem
private_key: /etc/ssl/private/server.key
ssl_certificate_key /etc/nginx/server.key;
security.tls.key: certs/server.key
keyFile: ~/.ssh/id_rsa
agent_setup_template: templates/own.hbs
image_id: ami-0123456789abcdef0
subnet_ids: [subnet-0123456789abcdef0, subnet-0fedcba9876543210]
arn:aws:iam::123456789012:role/determined-agent
secret_arn=arn:aws:secretsmanager:us-west-2:123456789012:secret:train-AbCdEf
serviceAccount: agents@project.iam.gserviceaccount.com
root:x:0:0:root:/root:/bin/bash
systemctl enable --now docker.service
journalctl -u docker --since "10 minutes ago" --no-pager
nvidia-smi --query-gpu=name,uuid --format=csv,noheader
GPU-6b6f2e0a-1111-2222-3333-444455556666
fe80::1ff:fe23:4567:890a dev eth0 lladdr 02:42:ac:11:00:02
iptables -A INPUT -p tcp --dport 8080 -j ACCEPT
logger -p user.info -t startup "agent joined"
tar -xzf /tmp/x.tgz -C /opt && rm -f /tmp/x.tgz
python3 -c 'import secrets; print(secrets.token_hex(16))'
python3 train.py --lr 3e-4 --batch-size 64 --resume-from checkpoint-120000
token = lexer.next_token()
password = os.environ["PASSWORD"]
password=args.password, token=config.token
PASSWORD=$(openssl rand -base64 32)
TOKEN=\`cat /run/token\`
if ! grep -q token /etc/agent.yaml; then echo "no token: the agent cannot join"; fi
# The password is read from the secret manager; never write it here.
# See https://docs.example.com/auth#token: tokens expire after 12 h.
`
  .trim()
  .split('\n')
