package app

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/expiry"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/search"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// fixture is a service on one database with the instances 1 and 2. Both have the projects p and q, of the
// organizations o and r.
type fixture struct {
	*testing.T
	db    store.DB
	clock *ident.ManualClock
	log   *eventlog.Log
	apps  *Service
}

var errNoProject = fault.New(fault.NotFound, "TEST-project", "no such project")

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(start)}
		f.log = eventlog.New(db, vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil), f.clock, Noun, KeyNoun)
		f.apps = &Service{
			DB: db, Log: f.log, IDs: ident.NewSource(idgrant.New(db), f.clock), Clock: f.clock, Keys: oneKey{},
			Project: func(_ context.Context, _ store.Tx, _ ident.InstanceID, id ident.ProjectID) (ident.OrgID, error) {
				org, known := map[ident.ProjectID]ident.OrgID{"p": "o", "q": "r"}[id]
				if !known {
					return "", errNoProject
				}
				return org, nil
			},
		}
		for _, id := range []ident.InstanceID{"1", "2"} {
			f.must(f.log.Write(t.Context(), id, "ada", func(ctx context.Context, w *eventlog.Writer) error { return w.Create(ctx) }))
		}
		fn(f)
		logtest.CheckFold(t, db, f.log)
	})
}

// oneKey gives the same key to everybody; making one takes a while.
type oneKey struct{}

var theKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func (oneKey) Take(context.Context) (*rsa.PrivateKey, error) { return theKey() }

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// refuses checks the fault of a command that must change nothing.
func (f *fixture) refuses(err error, want *fault.Error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Errorf("%v, want %v", err, want)
	}
}

// add makes an application of project p in instance 1.
func (f *fixture) add(name string, wish New) State {
	f.Helper()
	if wish.Name = name; wish.Project == "" {
		wish.Project = "p"
	}
	made, _, err := f.apps.Add(f.Context(), "1", "ada", wish)
	f.must(err)
	return made
}

func (f *fixture) of(s State) Name { return Name{App: s.App(), Project: s.Project} }

// is checks an application as it is read.
func (f *fixture) is(want State) {
	f.Helper()
	got, err := Get(f.Context(), f.db, "1", want.App())
	f.must(err)
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("application %s (-want +got):\n%s", want.ID, diff)
	}
}

// Every kind of application is read as it was saved, and belongs to the organization of its project.
func TestAddAndGet(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		config := web()
		for name, wish := range map[string]New{
			"Shop":    {OIDC: &config},
			"Least":   {OIDC: &OIDCConfig{Type: Native, AuthMethod: None}},
			"Stock":   {API: new(SecretBasic)},
			"Machine": {API: new(PrivateKeyJWT), Project: "q"},
			"HR":      {SAML: &SAMLWish{Metadata: []byte(metadata), Login: Login{Version: LoginV1}}},
			"Legal":   {SAML: &SAMLWish{URL: "https://sp.example/md"}},
			"Chosen":  {API: new(PrivateKeyJWT), App: "my-app"},
		} {
			wish.Name, wish.Project = name, map[bool]ident.ProjectID{true: "q", false: "p"}[wish.Project == "q"]
			made, secret, err := f.apps.Add(f.Context(), "1", "ada", wish)
			f.must(err)
			f.is(made)
			if want := map[ident.ProjectID]string{"p": "o", "q": "r"}[wish.Project]; made.Owner != want || made.Project != wish.Project {
				f.Errorf("%s is of project %s, organization %s", name, made.Project, made.Owner)
			}
			if vault.SecretMatches(made.SecretHash, secret) != wish.NeedsSecret() || (secret == "") == wish.NeedsSecret() {
				f.Errorf("%s has the secret %q", name, secret)
			}
			if (made.ClientID == "") != (wish.SAML != nil) || wish.App != "" && made.App() != wish.App {
				f.Errorf("%s has the client id %q, the id %q", name, made.ClientID, made.ID)
			}
			found, err := ByClient(f.Context(), f.db, "1", made.ClientID)
			if wish.SAML != nil {
				f.refuses(err, NotFound)
				continue
			}
			f.must(err)
			if found.ID != made.ID {
				f.Errorf("client %s is %s", made.ClientID, found.ID)
			}
			_, err = ByClient(f.Context(), f.db, "2", made.ClientID)
			f.refuses(err, NotFound)
			_, err = Get(f.Context(), f.db, "2", made.App())
			f.refuses(err, NotFound)
		}
	})
}

// What must be unique is, each within its bounds, and says what is taken.
func TestUnique(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		api, document := New{API: new(PrivateKeyJWT)}, New{SAML: &SAMLWish{Metadata: []byte(metadata)}}
		first := f.add("Straße", New{App: "one", API: api.API})
		saml := f.add("HR", document)
		add := func(at ident.InstanceID, wish New) error {
			_, _, err := f.apps.Add(f.Context(), at, "ada", wish)
			return err
		}
		f.refuses(add("1", New{Project: "p", Name: "STRASSE", API: api.API}), errNameTaken)
		f.must(add("1", New{Project: "q", Name: "STRASSE", API: api.API}))
		f.must(add("2", New{Project: "p", Name: "STRASSE", API: api.API}))
		f.refuses(add("1", New{Project: "p", Name: "other", App: "one", API: api.API}), errTaken)
		f.must(add("2", New{Project: "p", Name: "other", App: "one", API: api.API}))
		f.refuses(add("1", New{Project: "q", Name: "HR", SAML: document.SAML}), errEntityTaken)
		f.must(add("2", New{Project: "q", Name: "HR", SAML: document.SAML}))
		f.refuses(add("1", New{Project: "404", Name: "x", API: api.API}), errNoProject)
		_, err := f.apps.Change(f.Context(), "1", "ada", f.of(saml), Change{Name: new("strasse")})
		f.refuses(err, errNameTaken)

		_, err = f.apps.Remove(f.Context(), "1", "ada", f.of(first))
		f.must(err)
		f.refuses(add("1", New{Project: "p", Name: "other", App: "one", API: api.API}), errTaken) // ids never come back
		f.must(add("1", New{Project: "p", Name: "strasse", API: api.API}))                        // names do
	})
}

func TestCommands(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		config := web()
		shop := f.add("Shop", New{OIDC: &config})
		name := f.of(shop)
		f.clock.Advance(time.Minute)
		same, err := f.apps.Change(f.Context(), "1", "bob", name, Change{Name: new("Shop"), OIDC: &OIDCPatch{DevMode: new(true)}})
		f.must(err)
		f.is(shop)
		if same.Sequence != shop.Sequence {
			f.Error("what is the same was written")
		}
		changed, err := f.apps.Change(f.Context(), "1", "bob", name, Change{Name: new("Store"), OIDC: &OIDCPatch{DevMode: new(false)}})
		f.must(err)
		f.is(changed)
		if !changed.ChangedAt.Equal(f.clock.Now()) || changed.Name != "Store" || changed.OIDC.DevMode {
			f.Errorf("changed to %+v", changed)
		}
		off, err := f.apps.Deactivate(f.Context(), "1", "bob", name)
		f.must(err)
		f.is(off)
		_, err = f.apps.Deactivate(f.Context(), "1", "bob", name)
		f.refuses(err, errNotActive)
		on, err := f.apps.Reactivate(f.Context(), "1", "bob", name)
		f.must(err)
		f.is(on)
		renewed, secret, err := f.apps.NewSecret(f.Context(), "1", "bob", name)
		f.must(err)
		f.is(renewed)
		if !vault.SecretMatches(renewed.SecretHash, secret) || string(renewed.SecretHash) == string(shop.SecretHash) {
			f.Error("the secret is not another one")
		}
		gone, err := f.apps.Remove(f.Context(), "1", "bob", name)
		f.must(err)
		if !gone.Removed {
			f.Errorf("removed: %+v", gone)
		}
		for what, err := range map[string]error{
			"change": second(f.apps.Change(f.Context(), "1", "bob", name, Change{})),
			"remove": second(f.apps.Remove(f.Context(), "1", "bob", name)),
			"key":    third(f.apps.AddKey(f.Context(), "1", "bob", name, time.Time{})),
			"secret": third(f.apps.NewSecret(f.Context(), "1", "bob", name)),
		} {
			if !errors.Is(err, NotFound) {
				f.Errorf("%s of one that is gone: %v", what, err)
			}
		}
	})
}

func second[A any](_ A, err error) error        { return err }
func third[A, B any](_ A, _ B, err error) error { return err }

// An application of another project, or of another instance, is none.
func TestOfAnother(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		stock := f.add("Stock", New{API: new(PrivateKeyJWT)})
		key, _, err := f.apps.AddKey(f.Context(), "1", "ada", f.of(stock), time.Time{})
		f.must(err)
		for at, name := range map[ident.InstanceID]Name{"1": {App: stock.App(), Project: "q"}, "2": f.of(stock)} {
			for what, err := range map[string]error{
				"change":     second(f.apps.Change(f.Context(), at, "bob", name, Change{Name: new("x")})),
				"deactivate": second(f.apps.Deactivate(f.Context(), at, "bob", name)),
				"reactivate": second(f.apps.Reactivate(f.Context(), at, "bob", name)),
				"secret":     third(f.apps.NewSecret(f.Context(), at, "bob", name)),
				"remove":     second(f.apps.Remove(f.Context(), at, "bob", name)),
				"add key":    third(f.apps.AddKey(f.Context(), at, "bob", name, time.Time{})),
				"remove key": second(f.apps.RemoveKey(f.Context(), at, "bob", name, key.Key())),
			} {
				if !errors.Is(err, NotFound) {
					f.Errorf("%s at %s: %v", what, at, err)
				}
			}
		}
		f.is(stock)
	})
}

func TestKeys(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		stock, other := f.add("Stock", New{API: new(PrivateKeyJWT)}), f.add("Other", New{API: new(PrivateKeyJWT)})
		basic := f.add("Basic", New{API: new(SecretBasic)})
		name := f.of(stock)
		key, file, err := f.apps.AddKey(f.Context(), "1", "ada", name, start.Add(time.Hour))
		f.must(err)
		got, err := GetKey(f.Context(), f.db, "1", key.Key())
		f.must(err)
		if diff := cmp.Diff(key, got); diff != "" {
			f.Errorf("key (-want +got):\n%s", diff)
		}
		var doc struct{ KeyID, AppID, ClientID string }
		f.must(json.Unmarshal(file, &doc))
		if doc.KeyID != key.ID || doc.AppID != stock.ID || doc.ClientID != stock.ClientID || key.Owner != "o" || !key.ExpiresAt.Equal(start.Add(time.Hour)) {
			f.Errorf("key %+v in the file %+v", key, doc)
		}
		forever, _, err := f.apps.AddKey(f.Context(), "1", "ada", name, time.Time{})
		f.must(err)
		if !forever.ExpiresAt.Equal(expiry.Never) {
			f.Errorf("ends at %s", forever.ExpiresAt)
		}
		f.refuses(third(f.apps.AddKey(f.Context(), "1", "ada", f.of(basic), time.Time{})), errNoKeys)
		if err := third(f.apps.AddKey(f.Context(), "1", "ada", name, start)); fault.Of(err).ID != "DOMAIN-dv3t5" {
			f.Errorf("a key that has ended: %v", err)
		}
		f.refuses(second(f.apps.RemoveKey(f.Context(), "1", "ada", f.of(other), key.Key())), KeyNotFound)
		f.refuses(second(f.apps.RemoveKey(f.Context(), "1", "ada", name, "404")), KeyNotFound)
		gone, err := f.apps.RemoveKey(f.Context(), "1", "ada", name, key.Key())
		f.must(err)
		if !gone.Removed {
			f.Errorf("removed: %+v", gone)
		}
		f.refuses(second(GetKey(f.Context(), f.db, "1", key.Key())), KeyNotFound)
		f.refuses(second(GetKey(f.Context(), f.db, "2", forever.Key())), KeyNotFound)

		before := len(logtest.Types(t, f.db, f.log, "1"))
		f.must(second(f.apps.Remove(f.Context(), "1", "ada", name)))
		left := logtest.Types(t, f.db, f.log, "1")[before:]
		if want := []string{"project.application.oidc.key.removed", "project.application.removed"}; !slices.Equal(left, want) {
			f.Errorf("removing an application with a key left %q", left)
		}
		f.refuses(second(GetKey(f.Context(), f.db, "1", forever.Key())), KeyNotFound)
	})
}

// The lists show what is asked for and may be seen, and count nothing else.
func TestList(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		ids := make(map[string]string)
		for i, a := range []struct {
			name string
			wish New
		}{
			{"Alpha", New{API: new(PrivateKeyJWT)}},
			{"beta", New{OIDC: &OIDCConfig{Type: Native, AuthMethod: None}}},
			{"Beta 2", New{API: new(PrivateKeyJWT), Project: "q"}},
			{"HR", New{SAML: &SAMLWish{Metadata: []byte(metadata)}, Project: "q"}},
		} {
			a.wish.App = ident.AppID(fmt.Sprint(i))
			made := f.add(a.name, a.wish)
			ids[made.ClientID] = made.ID
			f.clock.Advance(time.Second)
		}
		first, err := Get(f.Context(), f.db, "1", "0")
		f.must(err)
		f.must(second(f.apps.Deactivate(f.Context(), "1", "ada", f.of(first))))
		all, up := call.Reach{Instance: true}, search.Page{Ascending: true}
		text := func(v string) []search.Text { return []search.Text{{Value: v, Method: search.StartsWithIgnoreCase}} }
		for name, c := range map[string]struct {
			s    Search
			want string
		}{
			"all":               {Search{Within: all}, "4: 3 2 1 0"},
			"up":                {Search{Within: all, Page: up}, "4: 0 1 2 3"},
			"by name":           {Search{Within: all, Page: up, By: ByName}, "4: 0 2 3 1"},
			"by state":          {Search{Within: all, Page: up, By: ByStatus}, "4: 1 2 3 0"},
			"by creation":       {Search{Within: all, By: ByCreation}, "4: 3 2 1 0"},
			"by change":         {Search{Within: all, By: ByChange}, "4: 0 3 2 1"},
			"by no column":      {Search{Within: all, Page: up, By: 99}, "4: 0 1 2 3"},
			"page":              {Search{Within: all, Page: search.Page{Ascending: true, Offset: 1, Limit: 2}}, "4: 1 2"},
			"project":           {Search{Within: all, Page: up, Projects: []ident.ProjectID{"p"}}, "2: 0 1"},
			"two projects":      {Search{Within: all, Projects: []ident.ProjectID{"p", "q"}}, "0: "},
			"name":              {Search{Within: all, Page: up, Names: text("BETA")}, "2: 1 2"},
			"state":             {Search{Within: all, Statuses: []Status{Inactive}}, "1: 0"},
			"kind":              {Search{Within: all, Kinds: []Kind{SAML}}, "1: 3"},
			"client":            {Search{Within: all, ClientIDs: []string{first.ClientID}}, "1: 0"},
			"entity":            {Search{Within: all, EntityIDs: []string{"https://sp.example"}}, "1: 3"},
			"everything":        {Search{Within: all, Projects: []ident.ProjectID{"q"}, Names: text("b"), Statuses: []Status{Active}, Kinds: []Kind{API}}, "1: 2"},
			"nothing in reach":  {Search{}, "0: "},
			"one organization":  {Search{Within: call.Reach{Orgs: []ident.OrgID{"r"}}, Page: up}, "2: 2 3"},
			"one project":       {Search{Within: call.Reach{Projects: []ident.ProjectID{"p"}}, Page: up}, "2: 0 1"},
			"grants and selves": {Search{Within: call.Reach{Grants: []ident.GrantID{"p"}, Self: "o"}}, "0: "},
		} {
			total, page, err := List(f.Context(), f.db, "1", c.s)
			f.must(err)
			var found []string
			for _, one := range page {
				found = append(found, one.ID)
				f.is(one)
			}
			if got := fmt.Sprintf("%d: %s", total, strings.Join(found, " ")); got != c.want {
				f.Errorf("%s: found %q, want %q", name, got, c.want)
			}
		}
		if total, page, err := List(f.Context(), f.db, "2", Search{Within: all}); total != 0 || len(page) != 0 || err != nil {
			f.Errorf("of another instance: %d, %v", total, err)
		}
	})
}

// Metadata are long, and many of them no answer can hold.
func TestListIsBounded(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const each = 499_000
		for i := range maxAnswer/each + 1 {
			doc := strings.Replace(metadata, "sp.example", fmt.Sprintf("%d.example", i), 1) + strings.Repeat("\n", each-len(metadata))
			f.add(fmt.Sprint(i), New{SAML: &SAMLWish{Metadata: []byte(doc)}})
		}
		_, _, err := List(f.Context(), f.db, "1", Search{Within: call.Reach{Instance: true}})
		if fault.Of(err).ID != "APP-page1" {
			f.Errorf("all of them: %v", err)
		}
		total, page, err := List(f.Context(), f.db, "1", Search{Within: call.Reach{Instance: true}, Page: search.Page{Limit: 10}})
		f.must(err)
		if total != maxAnswer/each+1 || len(page) != 10 {
			f.Errorf("%d of %d", len(page), total)
		}
	})
}

func TestListKeys(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		one, two := f.add("One", New{App: "one", API: new(PrivateKeyJWT)}), f.add("Two", New{App: "two", API: new(PrivateKeyJWT), Project: "q"})
		label := make(map[string]string)
		for i, of := range []State{one, two, one} {
			key, _, err := f.apps.AddKey(f.Context(), "1", "ada", f.of(of), start.Add(time.Duration(10-i)*time.Hour))
			f.must(err)
			label[key.ID] = fmt.Sprint(i)
			f.clock.Advance(time.Second)
		}
		all, up := call.Reach{Instance: true}, search.Page{Ascending: true}
		for name, c := range map[string]struct {
			s    KeySearch
			want string
		}{
			"all":              {KeySearch{Within: all}, "3: 2 1 0"},
			"page":             {KeySearch{Within: all, Page: search.Page{Ascending: true, Offset: 1, Limit: 1}}, "3: 1"},
			"by project":       {KeySearch{Within: all, Page: up, By: ByKeyProject}, "3: 0 2 1"},
			"by application":   {KeySearch{Within: all, By: ByKeyApp}, "3: 1 2 0"},
			"by creation":      {KeySearch{Within: all, Page: up, By: ByKeyCreation}, "3: 0 1 2"},
			"by organization":  {KeySearch{Within: all, By: ByKeyOrg}, "3: 1 2 0"},
			"by expiry":        {KeySearch{Within: all, Page: up, By: ByKeyExpiry}, "3: 2 1 0"},
			"application":      {KeySearch{Within: all, Page: up, Apps: []ident.AppID{"one"}}, "2: 0 2"},
			"project":          {KeySearch{Within: all, Projects: []ident.ProjectID{"q"}}, "1: 1"},
			"organization":     {KeySearch{Within: all, Orgs: []ident.OrgID{"r"}}, "1: 1"},
			"contradiction":    {KeySearch{Within: all, Apps: []ident.AppID{"one"}, Orgs: []ident.OrgID{"r"}}, "0: "},
			"nothing in reach": {KeySearch{}, "0: "},
			"an organization":  {KeySearch{Within: call.Reach{Orgs: []ident.OrgID{"r"}}}, "1: 1"},
			"a project":        {KeySearch{Within: call.Reach{Projects: []ident.ProjectID{"p"}}, Page: up}, "2: 0 2"},
		} {
			total, page, err := ListKeys(f.Context(), f.db, "1", c.s)
			f.must(err)
			var found []string
			for _, k := range page {
				found = append(found, label[k.ID])
				if want := map[ident.AppID]ident.ProjectID{"one": "p", "two": "q"}[k.App]; k.Project != want {
					f.Errorf("a key of %s is of project %s", k.App, k.Project)
				}
			}
			if got := fmt.Sprintf("%d: %s", total, strings.Join(found, " ")); got != c.want {
				f.Errorf("%s: found %q, want %q", name, got, c.want)
			}
		}
	})
}

// A database of before the configurations is upgraded to the rows that a rebuild gives.
func TestUpgrade(t *testing.T) {
	const file = "../store/sqlite/migrations/00015_apps_authorizations.sql"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var updates []string
	for _, statement := range strings.Split(string(text), ";") {
		if i := strings.Index(statement, "UPDATE apps"); i >= 0 {
			updates = append(updates, statement[i:])
		}
	}
	if len(updates) != 2 {
		t.Fatalf("%s has %d updates", file, len(updates))
	}
	eachEngine(t, func(f *fixture) {
		f.must(f.log.Write(f.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			for i, a := range []Add{{Name: "Management-API"}, {Name: "Console", Console: true}, {Name: "Console 2", Console: true, DevMode: true}} {
				a.App, a.ClientID, a.Project = ident.AppID(fmt.Sprint(i)), fmt.Sprint(10+i), "p"
				if _, err := eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: string(a.App), Owner: "o"}, a.Decide()...); err != nil {
					return err
				}
			}
			return nil
		}))
		f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
			// What the columns are when they are added.
			err := tx.Exec(ctx, `DROP INDEX apps_name`)
			if err == nil {
				err = tx.Exec(ctx, `UPDATE apps SET name_key = '', state = 'active', app_type = '', response_types = '', grant_types = '', access_token_type = ''`)
			}
			for _, sql := range updates {
				if err == nil {
					err = tx.Exec(ctx, sql)
				}
			}
			return err
		}))
	}) // which checks the fold
}
