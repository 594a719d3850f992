package auth

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/user"
	"castellan/internal/vault"

	authv1 "castellan/gen/zitadel/auth/v1"
	userv1 "castellan/gen/zitadel/user/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// caller is a user who may nothing.
type caller ident.UserID

func (c caller) User() ident.UserID      { return ident.UserID(c) }
func (c caller) Org() ident.OrgID        { return "7" }
func (c caller) Reach(string) call.Reach { return call.Reach{Self: ident.UserID(c)} }

// counted counts the statements that are run.
type counted struct {
	store.Querier
	n int
}

func (c *counted) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	c.n++
	return c.Querier.Query(ctx, sql, args...)
}

func TestGetMyUser(t *testing.T) {
	at := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	now := timestamppb.New(at)
	history := func(sequence uint64) *zitadelv1.ObjectDetails {
		return &zitadelv1.ObjectDetails{Sequence: sequence, CreationDate: now, ChangeDate: now, ResourceOwner: "7"}
	}
	cases := map[string]struct {
		events []eventlog.Payload
		want   *userv1.User
	}{
		"ada": {
			[]eventlog.Payload{user.HumanAdded{
				UserName: "ada.l", FirstName: "Ada", LastName: "Lovelace", NickName: "Countess", DisplayName: "Ada Lovelace", PreferredLanguage: "en",
				Gender: user.Female, Email: "ada@acme.example", Phone: "+41791234567", PasswordHash: "$x",
			}, user.EmailVerified{}},
			&userv1.User{
				Id: "ada", Details: history(2), State: userv1.UserState_USER_STATE_ACTIVE, UserName: "ada.l",
				LoginNames: []string{"ada.l"}, PreferredLoginName: "ada.l",
				Type: &userv1.User_Human{Human: &userv1.Human{
					Profile: &userv1.Profile{
						FirstName: "Ada", LastName: "Lovelace", NickName: "Countess", DisplayName: "Ada Lovelace", PreferredLanguage: "en",
						Gender: userv1.Gender_GENDER_FEMALE,
					},
					Email: &userv1.Email{Email: "ada@acme.example", IsEmailVerified: true}, Phone: &userv1.Phone{Phone: "+41791234567"},
					PasswordChanged: now,
				}},
			},
		},
		"ci": {
			[]eventlog.Payload{user.MachineAdded{UserName: "ci", Name: "CI", Description: "builds", AccessTokenType: user.JWT}, user.SecretSet{Hash: []byte{1}}},
			&userv1.User{
				Id: "ci", Details: history(2), State: userv1.UserState_USER_STATE_ACTIVE, UserName: "ci",
				LoginNames: []string{"ci"}, PreferredLoginName: "ci",
				Type: &userv1.User_Machine{Machine: &userv1.Machine{
					Name: "CI", Description: "builds", HasSecret: true, AccessTokenType: userv1.AccessTokenType_ACCESS_TOKEN_TYPE_JWT,
				}},
			},
		},
	}
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		log := eventlog.New(db, keys, ident.NewManualClock(at), user.Noun)
		err := log.Write(t.Context(), "1", "setup", func(ctx context.Context, w *eventlog.Writer) error {
			if err := w.Create(ctx); err != nil {
				return err
			}
			for id, c := range cases {
				if _, err := eventlog.Begin(ctx, w, user.Noun, eventlog.Origin{ID: id, Owner: "7"}, c.events...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for id, c := range cases {
			reads := &counted{Querier: db}
			s := &Service{DB: reads}
			got, err := s.GetMyUser(call.With(t.Context(), call.Call{Rights: caller(id)}), "1", &authv1.GetMyUserRequest{})
			if err != nil || !proto.Equal(got.GetUser(), c.want) || got.GetLastLogin() != nil {
				t.Errorf("%s: %v, %v\nwant %v", id, got, err, c.want)
			}
			if reads.n != 1 {
				t.Errorf("%s: %d reads", id, reads.n)
			}
		}
		if _, err := (&Service{DB: db}).GetMyUser(call.With(t.Context(), call.Call{Rights: caller("gone")}), "1", nil); err == nil {
			t.Error("a user who is gone is shown")
		}
	})
	if _, err := new(Service).Healthz(t.Context(), "1", nil); err != nil {
		t.Error(err)
	}
	new(Service).Table()
}
