#!/bin/sh
# Makes sure that the tests find PostgreSQL's own programs (initdb, pg_ctl, postgres). They
# start a server of their own and stop it again; a running one is not touched.
set -eu

for dir in /usr/lib/postgresql/*/bin; do
	[ -x "$dir/initdb" ] && exit 0
done
command -v initdb >/dev/null 2>&1 && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing PostgreSQL for the tests" >&2
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends postgresql >/dev/null
	exit 0
fi
echo "The tests need PostgreSQL's server programs. Install them (Debian: apt-get install postgresql)," >&2
echo "or run the tests on SQLite alone with CASTELLAN_TEST_ENGINES=sqlite." >&2
exit 1
