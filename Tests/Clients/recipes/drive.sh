# Runs inside the root of one recipe: what each of them needs, then the recipe itself. The blocks of
# docs/recipes.md are in /exchange under their names.
printf '127.0.0.1 localhost\n127.0.1.1 host.yourdomain.com host\n' >/etc/hosts
# The system's store of authorities.
cat /exchange/ca.pem >>/etc/ssl/certs/ca-certificates.crt
export HOME=/root USER=root LOGNAME=root TERM=xterm
cd /exchange
. /exchange/recipe.sh >/exchange/shown 2>&1
