package storetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// role is the superuser of a cluster made here, maintenance the database it always has.
const (
	role        = "castellan"
	maintenance = "postgres"
)

// script makes a cluster, starts it, says so, and stops and removes it when its standard input
// ends. That happens whenever the test binary ends, however it ends: no server is left behind.
// Arguments: the folder of the binaries, the folder to work in, the settings.
const script = `
log=$2/log
if "$1/initdb" -D "$2/data" -U ` + role + ` -A trust -E UTF8 --locale=C --locale-provider=icu --icu-locale=en-US \
    --no-sync >"$log" 2>&1 &&
  printf '%s\n' "$3" >>"$2/data/postgresql.conf" &&
  "$1/pg_ctl" -D "$2/data" -l "$log" -w start >>"$log" 2>&1
then echo ready
else cat "$log"
fi
exec >/dev/null 2>&1
read -r _
"$1/pg_ctl" -D "$2/data" -m immediate -w stop
rm -rf "$2"
`

// settings of a cluster that need not survive a crash. The locale above sorts text unlike its
// bytes, as that of a usual server does, so that a column without COLLATE "C" shows.
func settings(dir string) string {
	return strings.Join([]string{
		"listen_addresses = ''",
		"unix_socket_directories = '" + dir + "'",
		"max_connections = 200",
		"shared_buffers = 64MB",
		"fsync = off",
		"full_page_writes = off",
		"wal_level = minimal",
		"max_wal_senders = 0",
		"autovacuum = off",
	}, "\n")
}

// cluster is a running PostgreSQL server that belongs to this process.
type cluster struct {
	url  *url.URL // of the maintenance database
	hold io.Closer
	cmd  *exec.Cmd
}

// startCluster makes and starts a cluster; it takes about a second.
func startCluster() (*cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "castellan-pg-")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", script, "sh", bin, dir, settings(dir))
	cmd.Dir = dir
	if err := dropRoot(cmd, dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &cluster{hold: hold, cmd: cmd, url: &url.URL{
		Scheme: "postgres", User: url.User(role), Path: "/" + maintenance,
		RawQuery: url.Values{"host": {dir}}.Encode(),
	}}
	said := bufio.NewReader(out)
	if first, _ := said.ReadString('\n'); first != "ready\n" {
		rest, _ := io.ReadAll(said)
		return nil, errors.Join(fmt.Errorf("PostgreSQL from %s did not start: %s%s", bin, first, rest), c.stop())
	}
	return c, nil
}

// stop ends the cluster and removes it.
func (c *cluster) stop() error {
	return errors.Join(c.hold.Close(), c.cmd.Wait())
}

// binaries finds the folder of initdb and pg_ctl: the newest version installed the Debian way,
// or else the search path.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // other names count as oldest
		return n
	}
	if len(found) > 0 {
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("no PostgreSQL server found: install one (Debian: apt-get install postgresql), " +
		"or set CASTELLAN_TEST_POSTGRES_URL to a server on which databases may be created, " +
		"or set CASTELLAN_TEST_ENGINES=sqlite to leave PostgreSQL out of the tests")
}

// postgresUser is who runs the server when the tests run as root, which PostgreSQL refuses.
func postgresUser() (uid, gid uint32, err error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return 0, 0, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	id, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, 0, err
	}
	group, err := strconv.ParseUint(u.Gid, 10, 32)
	return uint32(id), uint32(group), err
}
