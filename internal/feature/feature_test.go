package feature

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestSet(t *testing.T) {
	on, off := new(true), new(bool)
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "on", When: Set{Key: LoginDefaultOrg, Value: true}.Decide,
			Then: []eventlog.Payload{LoginDefaultOrgSet{Value: true}}, State: &State{LoginDefaultOrg: on},
		},
		{
			Name: "off, which nobody has said yet", When: Set{Key: LoginDefaultOrg}.Decide,
			Then: []eventlog.Payload{LoginDefaultOrgSet{}}, State: &State{LoginDefaultOrg: off},
		},
		{
			Name: "off after on", Given: []eventlog.Payload{LoginDefaultOrgSet{Value: true}}, When: Set{Key: LoginDefaultOrg}.Decide,
			Then: []eventlog.Payload{LoginDefaultOrgSet{}}, State: &State{LoginDefaultOrg: off},
		},
		{Name: "the same", Given: []eventlog.Payload{LoginDefaultOrgSet{}}, When: Set{Key: LoginDefaultOrg}.Decide},
		{
			Name: "no feature", When: Set{Key: 2, Value: true}.Decide,
			Fault: &logtest.Refusal{Kind: fault.InvalidArgument, ID: "SYST-SGV45", Fields: []string{"feature_id"}},
		},
	})
}

// What the command returns is what the next read sees; other instances do not.
func TestService(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		clock := ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		log := eventlog.New(db, keys, clock, instance.Noun, Noun)
		features := &Service{Log: log, Hold: (&instance.Service{DB: db, Log: log}).Hold}
		err := log.Write(t.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			if err := w.Create(ctx); err != nil {
				return err
			}
			_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: "1", Owner: "1"}, instance.Added{Name: "ACME"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, value := range []bool{true, true, false, true} {
			after, err := features.Set(t.Context(), "1", "bob", Set{Key: LoginDefaultOrg, Value: value})
			if err != nil {
				t.Fatal(err)
			}
			got, err := Get(t.Context(), db, "1")
			if diff := cmp.Diff(after, got); err != nil || diff != "" {
				t.Errorf("%d: %v (-returned +read):\n%s", i, err, diff)
			}
			if *got.LoginDefaultOrg != value || got.Sequence != []uint64{1, 1, 2, 3}[i] || got.Owner != "1" {
				t.Errorf("%d: %+v", i, got)
			}
		}
		if got, err := Get(t.Context(), db, "2"); err != nil || got != (State{}) {
			t.Errorf("of another instance: %+v, %v", got, err)
		}
		if _, err := features.Set(t.Context(), "404", "bob", Set{Key: LoginDefaultOrg}); !errors.Is(err, instance.NotFound("404")) {
			t.Errorf("of no instance: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Get(ctx, db, "1"); !errors.Is(err, context.Canceled) {
			t.Errorf("Get = %v", err)
		}
		logtest.CheckFold(t, db, log)
	})
}
