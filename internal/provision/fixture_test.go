package provision

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"castellan/internal/app"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/machinekey"
	"castellan/internal/member"
	"castellan/internal/once"
	"castellan/internal/org"
	"castellan/internal/pat"
	"castellan/internal/project"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/user"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const actor ident.Actor = "operator"

// fixture is a service on one handle of a database.
type fixture struct {
	*testing.T
	service   Service
	database  *storetest.Database
	keyring   *vault.Keyring
	clock     *ident.ManualClock
	passwords *passwords
	keys      *keys
	other     *fixture // see nodes
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachDatabase(t, func(t *testing.T, d *storetest.Database) {
		t.Parallel()
		fn(setup(t, d, 1))
	})
}

// setup returns a service on a new handle: node number slot of the database.
func setup(t *testing.T, d *storetest.Database, slot int) *fixture {
	f := &fixture{
		T: t, database: d,
		keyring:   vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil),
		clock:     ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)),
		passwords: &passwords{}, keys: &keys{},
	}
	f.service = Service{
		Once: once.NewBook(f.keyring, f.clock), IDs: ident.NewSource(grants(slot), f.clock),
		Clock: f.clock, Random: rand.Reader, Passwords: f.passwords, Keys: f.keys,
		ExternalDomain: "id.example", Secure: true,
	}
	f.use(d.Open(t))
	return f
}

// use makes the service work on db.
func (f *fixture) use(db store.DB) {
	f.service.DB = db
	f.service.Log = eventlog.New(db, f.keyring, f.clock,
		instance.Noun, org.Noun, user.Noun, pat.Noun, machinekey.Noun, member.Noun, project.Noun, app.Noun)
}

// grants gives one slot to a source for ever.
type grants int

func (g grants) Claim(_ context.Context, now time.Time) (ident.Grant, error) {
	return ident.Grant{Slot: int(g), From: now, Until: now.AddDate(1, 0, 0)}, nil
}

// passwords stands in for vault.Hasher: it is fast, counts, and fails when told to.
type passwords struct {
	calls atomic.Int64
	queue string
	fail  func(ctx context.Context) error
}

// hashed is what passwords makes of a password.
func hashed(password string) string {
	sum := sha256.Sum256([]byte(password))
	return "$test$" + hex.EncodeToString(sum[:])
}

func (p *passwords) Hash(ctx context.Context, key, password string) (string, error) {
	if p.calls.Add(1) == 1 {
		p.queue = key
	}
	if p.fail != nil {
		return "", p.fail(ctx)
	}
	return hashed(password), nil
}

// keys stands in for vault.KeyPool: it counts, fails when told to, and gives the same key to
// all, for making one is slow.
type keys struct {
	calls atomic.Int64
	fail  func(ctx context.Context) error
}

var oneKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func (k *keys) Take(ctx context.Context) (*rsa.PrivateKey, error) {
	k.calls.Add(1)
	if k.fail != nil {
		return nil, k.fail(ctx)
	}
	return oneKey()
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// machine is a wish for an instance that a machine with a token and a key owns.
func machine() SetUp {
	return SetUp{
		InstanceName: "ACME",
		Machine:      &Machine{UserName: "ci", Name: "CI", Token: &Credential{}, Key: &Credential{}},
	}
}

const password = "Correct-Horse-7"

// human is a wish for an instance that a person with a password owns.
func human() SetUp {
	return SetUp{
		InstanceName: "ACME",
		Human: &Human{
			UserName: "ada", FirstName: "Ada", LastName: "Lovelace", Email: "ada@acme.example", Password: password,
		},
	}
}

// mustSetUp makes an instance, and checks that the log folds into the rows it left.
func (f *fixture) mustSetUp(wish SetUp) Result {
	f.Helper()
	r, err := f.service.SetUp(f.Context(), actor, wish, nil)
	f.must(err)
	logtest.CheckFold(f, f.service.DB, f.service.Log)
	return r
}

// get returns an instance as it was saved.
func (f *fixture) get(id ident.InstanceID) instance.State {
	f.Helper()
	s, err := instance.Get(f.Context(), f.service.DB, id)
	f.must(err)
	return s
}

// row returns the columns of the one row a query finds, all of them text.
func (f *fixture) row(columns int, sql string, args ...any) []string {
	f.Helper()
	rows := f.rows(columns, sql, args...)
	if len(rows) != 1 {
		f.Fatalf("%d rows of %s, want 1", len(rows), sql)
	}
	return rows[0]
}

// rows returns the text columns of all rows a query finds.
func (f *fixture) rows(columns int, sql string, args ...any) [][]string {
	f.Helper()
	all, err := store.All(f.Context(), f.service.DB, func(row store.Scanner) ([]string, error) {
		values, dest := make([]string, columns), make([]any, columns)
		for i := range values {
			dest[i] = &values[i]
		}
		return values, row.Scan(dest...)
	}, sql, args...)
	f.must(err)
	return all
}

// schema returns the text and binary columns of every table. It is the one thing about
// which these tests ask each engine in its own way.
func (f *fixture) schema() map[string][]string {
	f.Helper()
	sql := `SELECT table_name, column_name FROM information_schema.columns
 WHERE table_schema = 'public' AND data_type IN ('text', 'bytea')`
	if f.database.Engine.Name == "sqlite" {
		sql = `SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
 WHERE t.type = 'table' AND c.type IN ('TEXT', 'BLOB')`
	}
	tables := make(map[string][]string)
	for _, row := range f.rows(2, sql) {
		if !strings.HasPrefix(row[0], "goose") && !strings.HasPrefix(row[0], "sqlite") {
			tables[row[0]] = append(tables[row[0]], row[1])
		}
	}
	for _, expected := range append(f.service.Log.Tables(), "events", "instance_keys", once.Table) {
		if tables[expected] == nil {
			f.Fatalf("table %s is not in the schema", expected)
		}
	}
	return tables
}

// dump returns the rows of every table: what they have in columns of text and bytes.
func (f *fixture) dump() map[string][]string {
	f.Helper()
	content := make(map[string][]string)
	for table, columns := range f.schema() {
		rows, err := store.All(f.Context(), f.service.DB, func(row store.Scanner) (string, error) {
			values, dest := make([][]byte, len(columns)), make([]any, len(columns))
			for i := range values {
				dest[i] = &values[i]
			}
			err := row.Scan(dest...)
			return fmt.Sprintf("%q", values), err
		}, "SELECT "+strings.Join(columns, ", ")+" FROM "+table)
		f.must(err)
		slices.Sort(rows)
		content[table] = rows
	}
	return content
}

// flawed is a database whose transactions fail at one statement.
type flawed struct {
	store.DB
	left atomic.Int64 // statements that go well
}

var errFlaw = errors.New("flaw")

func (d *flawed) Update(ctx context.Context, fn func(context.Context, store.Tx) error) error {
	return d.DB.Update(ctx, func(ctx context.Context, tx store.Tx) error { return fn(ctx, &flawedTx{tx, d}) })
}

type flawedTx struct {
	store.Tx
	db *flawed
}

func (t *flawedTx) next() error {
	if t.db.left.Add(-1) < 0 {
		return errFlaw
	}
	return nil
}

func (t *flawedTx) Exec(ctx context.Context, sql string, args ...any) error {
	if err := t.next(); err != nil {
		return err
	}
	return t.Tx.Exec(ctx, sql, args...)
}

func (t *flawedTx) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	if err := t.next(); err != nil {
		return nil, err
	}
	return t.Tx.Query(ctx, sql, args...)
}

// script is a source of randomness that begins with given bytes.
type script struct {
	mu    sync.Mutex
	bytes []byte
	after io.Reader
}

func (s *script) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bytes) == 0 {
		return s.after.Read(p)
	}
	n := copy(p, s.bytes)
	s.bytes = s.bytes[n:]
	return n, nil
}
