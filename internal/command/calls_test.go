package command

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/ident"
	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"

	lifecyclev1 "castellan/gen/castellan/system/v1"
	featurev1 "castellan/gen/zitadel/feature/v1"
	quotav1 "castellan/gen/zitadel/quota/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// now is the time of the clock in the tests of calls.
var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// wrote and altered are the two forms of the details of a write.
var (
	wrote   = &zitadelv1.ObjectDetails{CreationDate: timestamppb.New(now), ResourceOwner: "7"}
	altered = &zitadelv1.ObjectDetails{ChangeDate: timestamppb.New(now), ResourceOwner: "7"}
)

// call is what one command asks a server, and what it shows of the answer.
type call struct {
	args      string
	procedure string
	request   proto.Message
	answer    proto.Message
	shows     string
}

var calls = []call{
	{
		"quota add 7 --unit requests --interval 720h --amount 100 --limit --notify 80=https://a/?b=c,d --notify 100%=https://a,repeat",
		systemv1.SystemService_AddQuota_FullMethodName,
		&systemv1.AddQuotaRequest{
			InstanceId: "7", Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED, From: timestamppb.New(now),
			ResetInterval: durationpb.New(720 * time.Hour), Amount: 100, Limit: true,
			Notifications: []*quotav1.Notification{
				{Percent: 80, CallUrl: "https://a/?b=c,d"}, {Percent: 100, CallUrl: "https://a", Repeat: true},
			},
		},
		&systemv1.AddQuotaResponse{Details: wrote}, "Instance  7\nAdded     2030-01-02T03:04:05Z\n",
	},
	{
		"quota set 7 --unit action-seconds --from 1h --interval 1m --amount 0",
		systemv1.SystemService_SetQuota_FullMethodName,
		&systemv1.SetQuotaRequest{
			InstanceId: "7", Unit: quotav1.Unit_UNIT_ACTIONS_ALL_RUN_SECONDS, From: timestamppb.New(now.Add(time.Hour)),
			ResetInterval: durationpb.New(time.Minute),
		},
		&systemv1.SetQuotaResponse{Details: wrote}, "Instance  7\nChanged   2030-01-02T03:04:05Z\n",
	},
	{
		"quota remove 7 --unit action-seconds --yes", systemv1.SystemService_RemoveQuota_FullMethodName,
		&systemv1.RemoveQuotaRequest{InstanceId: "7", Unit: quotav1.Unit_UNIT_ACTIONS_ALL_RUN_SECONDS},
		&systemv1.RemoveQuotaResponse{Details: altered}, "Instance  7\nRemoved   2030-01-02T03:04:05Z\n",
	},
	{
		"limits set 7 --block", systemv1.SystemService_SetLimits_FullMethodName,
		&systemv1.SetLimitsRequest{InstanceId: "7", Block: proto.Bool(true)},
		&systemv1.SetLimitsResponse{Details: wrote}, "Instance  7\nChanged   2030-01-02T03:04:05Z\n",
	},
	{
		"limits set 7 --block=false --audit-retention 0", systemv1.SystemService_SetLimits_FullMethodName,
		&systemv1.SetLimitsRequest{InstanceId: "7", Block: proto.Bool(false), AuditLogRetention: durationpb.New(0)},
		&systemv1.SetLimitsResponse{Details: wrote}, "Instance  7\n",
	},
	{
		"limits bulk -", systemv1.SystemService_BulkSetLimits_FullMethodName,
		&systemv1.BulkSetLimitsRequest{Limits: []*systemv1.SetLimitsRequest{
			{InstanceId: "7", Block: proto.Bool(true)}, {InstanceId: "8", AuditLogRetention: durationpb.New(24 * time.Hour)},
		}},
		&systemv1.BulkSetLimitsResponse{Details: wrote, TargetDetails: []*zitadelv1.ObjectDetails{wrote, wrote}},
		"INSTANCE  CHANGED\n7         2030-01-02T03:04:05Z\n7         2030-01-02T03:04:05Z\n",
	},
	{
		"limits reset 7 --yes", systemv1.SystemService_ResetLimits_FullMethodName,
		&systemv1.ResetLimitsRequest{InstanceId: "7"},
		&systemv1.ResetLimitsResponse{Details: altered}, "Instance  7\nRemoved   2030-01-02T03:04:05Z\n",
	},
	{
		"feature set 7 login-default-org false", systemv1.SystemService_SetInstanceFeature_FullMethodName,
		&systemv1.SetInstanceFeatureRequest{
			InstanceId: "7", FeatureId: featurev1.InstanceFeature_INSTANCE_FEATURE_LOGIN_DEFAULT_ORG,
			Value: &systemv1.SetInstanceFeatureRequest_Bool{},
		},
		&systemv1.SetInstanceFeatureResponse{Details: altered}, "Instance  7\nChanged   2030-01-02T03:04:05Z\n",
	},
	{
		"view list", systemv1.SystemService_ListViews_FullMethodName, &systemv1.ListViewsRequest{},
		&systemv1.ListViewsResponse{Result: []*systemv1.View{
			{Database: "d", ViewName: "projections.x", ProcessedSequence: 9, LastSuccessfulSpoolerRun: timestamppb.New(now)},
		}},
		"NAME           DATABASE  PROCESSED  LAST RUN\nprojections.x  d         9          2030-01-02T03:04:05Z\n",
	},
	{
		"view clear projections.x", systemv1.SystemService_ClearView_FullMethodName,
		&systemv1.ClearViewRequest{Database: "castellan", ViewName: "projections.x"},
		&systemv1.ClearViewResponse{}, "View   projections.x\nBuilt  again\n",
	},
	{
		"view clear projections.x --database d", systemv1.SystemService_ClearView_FullMethodName,
		&systemv1.ClearViewRequest{Database: "d", ViewName: "projections.x"},
		&systemv1.ClearViewResponse{}, "View   projections.x\n",
	},
	{
		"failed-event list", systemv1.SystemService_ListFailedEvents_FullMethodName, &systemv1.ListFailedEventsRequest{},
		&systemv1.ListFailedEventsResponse{Result: []*systemv1.FailedEvent{
			{Database: "d", ViewName: "v", FailedSequence: 3, FailureCount: 2, ErrorMessage: "bad\nluck", LastFailed: timestamppb.New(now)},
		}},
		"VIEW  SEQUENCE  FAILURES  LAST FAILED           ERROR\nv     3         2         2030-01-02T03:04:05Z  bad\uFFFDluck\n",
	},
	{
		"failed-event remove v 3 --instance 7 --yes", systemv1.SystemService_RemoveFailedEvent_FullMethodName,
		&systemv1.RemoveFailedEventRequest{Database: "castellan", ViewName: "v", FailedSequence: 3, InstanceId: "7"},
		&systemv1.RemoveFailedEventResponse{}, "View      v\nSequence  3\nRemoved   yes\n",
	},
}

// lifecycleCalls are those of castellan.system.v1. %s is a file with the text "public".
var lifecycleCalls = []call{
	{
		"instance stop 7", lifecyclev1.InstanceLifecycleService_StopInstance_FullMethodName,
		&lifecyclev1.StopInstanceRequest{InstanceId: "7"},
		&lifecyclev1.StopInstanceResponse{Details: altered}, "Instance  7\nChanged   2030-01-02T03:04:05Z\n",
	},
	{
		"instance start 7", lifecyclev1.InstanceLifecycleService_StartInstance_FullMethodName,
		&lifecyclev1.StartInstanceRequest{InstanceId: "7"},
		&lifecyclev1.StartInstanceResponse{Details: altered}, "Instance  7\nChanged   2030-01-02T03:04:05Z\n",
	},
	{
		"system-user list", lifecyclev1.InstanceLifecycleService_ListSystemUsers_FullMethodName,
		&lifecyclev1.ListSystemUsersRequest{},
		&lifecyclev1.ListSystemUsersResponse{Result: []*lifecyclev1.SystemUser{
			{
				Id: "ops", Source: lifecyclev1.SystemUserSource_SYSTEM_USER_SOURCE_CONFIGURATION,
				Keys: []*lifecyclev1.SystemUserKey{{Fingerprint: strings.Repeat("ab", 32)}},
				Memberships: []*lifecyclev1.Membership{
					{Type: lifecyclev1.MembershipType_MEMBERSHIP_TYPE_SYSTEM, Roles: []string{"A", "B"}},
					{Type: lifecyclev1.MembershipType_MEMBERSHIP_TYPE_INSTANCE, AggregateId: "7", Roles: []string{"C"}},
				},
			},
			{
				Id: "ops", Source: lifecyclev1.SystemUserSource_SYSTEM_USER_SOURCE_DATABASE, Overridden: true,
				Keys: []*lifecyclev1.SystemUserKey{
					{Fingerprint: "12", NotAfter: timestamppb.New(now)}, {Fingerprint: "34", KeptUntil: timestamppb.New(now)},
				},
			},
		}},
		"USER  SOURCE                 KEYS                                                          MEMBERSHIPS\n" +
			"ops   configuration          abababababababab                                              system=A,B instance:7=C\n" +
			"ops   database (overridden)  12 until 2030-01-02T03:04:05Z, 34 until 2030-01-02T03:04:05Z\n",
	},
	{
		"system-user add ops --public-key %s --membership system=A,B --membership organization:7=C",
		lifecyclev1.InstanceLifecycleService_AddSystemUser_FullMethodName,
		&lifecyclev1.AddSystemUserRequest{Id: "ops", PublicKey: "public", Memberships: []*lifecyclev1.Membership{
			{Type: lifecyclev1.MembershipType_MEMBERSHIP_TYPE_SYSTEM, Roles: []string{"A", "B"}},
			{Type: lifecyclev1.MembershipType_MEMBERSHIP_TYPE_ORGANIZATION, AggregateId: "7", Roles: []string{"C"}},
		}},
		&lifecyclev1.AddSystemUserResponse{Id: "ops", Details: wrote}, "System user  ops\nAdded        2030-01-02T03:04:05Z\n",
	},
	{
		"system-user rotate-key ops --public-key %s --keep-previous-for 1h",
		lifecyclev1.InstanceLifecycleService_RotateSystemUserKey_FullMethodName,
		&lifecyclev1.RotateSystemUserKeyRequest{Id: "ops", PublicKey: "public", KeepPreviousFor: durationpb.New(time.Hour)},
		&lifecyclev1.RotateSystemUserKeyResponse{Details: altered}, "System user  ops\nChanged      2030-01-02T03:04:05Z\n",
	},
	{
		"system-user rotate-key ops --public-key %s", lifecyclev1.InstanceLifecycleService_RotateSystemUserKey_FullMethodName,
		&lifecyclev1.RotateSystemUserKeyRequest{Id: "ops", PublicKey: "public"},
		&lifecyclev1.RotateSystemUserKeyResponse{Details: altered}, "System user  ops\n",
	},
	{
		"system-user remove ops --yes", lifecyclev1.InstanceLifecycleService_RemoveSystemUser_FullMethodName,
		&lifecyclev1.RemoveSystemUserRequest{Id: "ops"},
		&lifecyclev1.RemoveSystemUserResponse{Details: altered}, "System user  ops\nRemoved      2030-01-02T03:04:05Z\n",
	},
	{
		"audit list", lifecyclev1.InstanceLifecycleService_ListAuditEntries_FullMethodName,
		&lifecyclev1.ListAuditEntriesRequest{MethodComparison: containsText, Limit: 100},
		&lifecyclev1.ListAuditEntriesResponse{Entries: []*lifecyclev1.AuditEntry{{
			At: timestamppb.New(now), Actor: "ops", Method: "/s/M", Protocol: "rest", InstanceId: "7", RemoteAddress: "::1",
			RequestId: "r", Outcome: "OK", Duration: durationpb.New(1500 * time.Microsecond),
		}}},
		"AT                    ACTOR  METHOD  INSTANCE  OUTCOME  DURATION  FROM\n" +
			"2030-01-02T03:04:05Z  ops    /s/M    7         OK       1.5ms     ::1\n",
	},
	{
		"audit list --actor ops --method Remove --instance 7 --outcome OK --from -24h --until 2030-01-02T00:00:00Z --limit 5 --position p",
		lifecyclev1.InstanceLifecycleService_ListAuditEntries_FullMethodName,
		&lifecyclev1.ListAuditEntriesRequest{
			Actor: "ops", Method: "Remove", MethodComparison: containsText, InstanceId: "7", Outcome: "OK", Limit: 5, Position: "p",
			From: timestamppb.New(now.Add(-24 * time.Hour)), Until: timestamppb.New(time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)),
		},
		&lifecyclev1.ListAuditEntriesResponse{NextPosition: "q"}, "AT  ACTOR  METHOD  INSTANCE  OUTCOME  DURATION  FROM\n",
	},
}

// bulk is what limits bulk reads in the tests of calls.
const bulk = `{"limits": [{"instanceId": "7", "block": true}, {"instance_id": "8", "auditLogRetention": "86400s"}]}`

// Every command sends what its command line says, and shows the answer as a table and as JSON.
func TestCalls(t *testing.T) {
	t.Parallel()
	public := filepath.Join(t.TempDir(), "public.pem")
	if err := os.WriteFile(public, []byte("public"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range slices.Concat(calls, lifecycleCalls) {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			c.args = strings.Replace(c.args, "%s", public, 1)
			f := newFake(t)
			f.mux.HandleFunc(c.procedure, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				got := c.request.ProtoReflect().New().Interface()
				if err == nil {
					err = proto.Unmarshal(body, got)
				}
				if err != nil || !proto.Equal(got, c.request) {
					t.Errorf("sent %v (%v), want %v", got, err, c.request)
				}
				w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
				text, _ := proto.Marshal(c.answer)
				_, _ = w.Write(text)
			})
			f.cli.Clock = ident.NewManualClock(now)
			f.cli.In = strings.NewReader(bulk)
			terminaltest.Contains(t, f.cli.Succeed(t, strings.Fields(c.args)...), c.shows)
			f.cli.In = strings.NewReader(bulk)
			text := f.cli.Succeed(t, append(strings.Fields(c.args), "--output", "json")...)
			shown := c.answer.ProtoReflect().New().Interface()
			if err := protojson.Unmarshal([]byte(text), shown); err != nil || !proto.Equal(shown, c.answer) {
				t.Errorf("%v, JSON:\n%s", err, text)
			}
		})
	}
}

// What is removed is asked about, also where the API would not mind.
func TestRemovalsAsk(t *testing.T) {
	t.Parallel()
	asked := 0
	for _, c := range slices.Concat(calls, lifecycleCalls) {
		args := strings.Fields(c.args)
		if args[len(args)-1] != "--yes" {
			continue
		}
		asked++
		f := newFake(t) // a call would fail otherwise
		f.cli.Fail(t, terminal.ExitUsage, []string{"--yes goes ahead"}, args[:len(args)-1]...)
		f.cli.Interactive = true
		f.cli.Fail(t, terminal.ExitFailure, []string{"Type yes to go ahead: ", "nothing was done"}, args[:len(args)-1]...)
	}
	if asked != 4 {
		t.Errorf("%d commands ask", asked)
	}
}

func TestFaultsOfCalls(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	file := filepath.Join(t.TempDir(), "limits.json")
	if err := os.WriteFile(file, []byte(`{"limits":[{"instanceId":"1","block":true},{"instanceId":"2"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"quota add 7 --interval 1h --amount 1":                                  "\"unit\" not set",
		"quota add 7 --unit x --interval 1h --amount 1":                         "must be one of requests, action-seconds",
		"quota set 7 --unit requests --amount 1":                                "\"interval\" not set",
		"quota set 7 --unit requests --interval 1h":                             "\"amount\" not set",
		"quota set 7 --unit requests --interval 1h --amount 1 --from x":         "--from must be a time such as",
		"quota set 7 --unit requests --interval 1h --amount 1 --notify x":       "--notify \"x\": must be PERCENT=URL",
		"quota set 7 --unit requests --interval 1h --amount 1 --notify 0=u":     "must be a whole number from 1",
		"quota set 7 --unit requests --interval 1h --amount 1 --notify 1.5=u":   "must be a whole number from 1",
		"quota set 7 --unit requests --interval 1h --amount 1 --notify 5=":      "the URL is missing",
		"quota remove 7 --yes":                                                  "\"unit\" not set",
		"limits set 7":                                                          "at least one of the flags in the group [audit-retention block]",
		"limits bulk " + file:                                                   file + ": limits[1]: must have an instanceId",
		"limits bulk -":                                                         "standard input: is not limits in the form of the API",
		"feature set 7 x true":                                                  "the feature must be one of login-default-org",
		"feature set 7 login-default-org maybe":                                 "the value must be true or false",
		"feature set 7 login-default-org":                                       "true or false is missing",
		"failed-event remove v x --instance 7 --yes":                            "SEQUENCE must be a whole number",
		"failed-event remove v 3 --yes":                                         "\"instance\" not set",
		"system-user add ops --public-key " + file:                              "\"membership\" not set",
		"system-user add ops --membership system=A":                             "\"public-key\" not set",
		"system-user add ops --public-key " + file + " --membership system":     "--membership \"system\": must be SCOPE=ROLE",
		"system-user add ops --public-key " + file + " --membership x=A":        "the scope must be one of system, instance, organization",
		"system-user add ops --public-key " + file + " --membership instance=A": "the scope must be system, instance:ID",
		"system-user add ops --public-key " + file + " --membership system:1=A": "the scope must be system, instance:ID",
		"audit list --from x":                                                   "--from must be a time such as",
		"audit list --until x":                                                  "--until must be a time such as",
		"audit list --limit 1 --follow-pages":                                   "none of the others can be",
		"instance watch --from-beginning --position p":                          "none of the others can be",
		"view clear": "NAME is missing",
	} {
		f.cli.Fail(t, terminal.ExitUsage, []string{want}, strings.Fields(args)...)
	}
	f.cli.Fail(t, terminal.ExitFailure, []string{"no such file"}, "limits", "bulk", file+"x")
	f.cli.In = io.LimitReader(zeros{}, maxBulk+1)
	f.cli.Fail(t, terminal.ExitFailure, []string{"standard input is longer than 4194304 bytes"}, "limits", "bulk", "-")
}

// zeros is an endless input.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// What a membership is read from can be written from it again.
func FuzzMembership(f *testing.F) {
	for _, seed := range []string{"system=SYSTEM_OWNER", "instance:1=A,B", "organization::==", "system:=A", "=", "x=A", "instance:1="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseMembership(text)
		if err != nil {
			return
		}
		if got := membershipsText([]*lifecyclev1.Membership{m}); got != text && text != "system:"+strings.TrimPrefix(got, "system") {
			t.Errorf("%q was read as %s", text, got)
		}
	})
}
