package system_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/vault"
	"castellan/tests/kit"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	featurev1 "castellan/gen/zitadel/feature/v1"
	quotav1 "castellan/gen/zitadel/quota/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// lifecycle is the operators' own service.
const lifecycle = "castellan.system.v1.InstanceLifecycleService/"

// watching is a stream of changes.
type watching struct {
	*testing.T
	*kit.Stream
	wire string
}

// watch opens a stream of changes as a user, and takes its first message.
func watch(t *testing.T, c *kit.Client, wire string, as kit.User, req *castellansystemv1.WatchInstancesRequest) (*watching, string) {
	t.Helper()
	w := &watching{t, c.Stream(t, wire, kit.Call{Method: lifecycle + "WatchInstances", Request: req, Token: as.Token(t)}), wire}
	first := w.next()
	if first.GetChange() != nil || first.GetPosition() == "" {
		t.Fatalf("the first message over %s is %v", wire, first)
	}
	return w, first.GetPosition()
}

// next returns the next message.
func (w *watching) next() *castellansystemv1.WatchInstancesResponse {
	w.Helper()
	m := new(castellansystemv1.WatchInstancesResponse)
	if !w.Next(w.T, m) {
		w.Fatalf("the stream over %s has ended: %v", w.wire, w.Answer)
	}
	return m
}

// changes returns the next n changes as texts, and their positions. Heartbeats are left out.
func (w *watching) changes(n int) (all, positions []string) {
	w.Helper()
	for len(all) < n {
		m := w.next()
		if c := m.GetChange(); c != nil {
			all = append(all, fmt.Sprint(c.GetInstanceId(), " ", c.GetType(), " ", c.GetEventType(), " by ", c.GetActor()))
			positions = append(positions, m.GetPosition())
		}
	}
	return all, positions
}

// ended waits for the end of the stream.
func (w *watching) ended() kit.Answer {
	w.Helper()
	m := new(castellansystemv1.WatchInstancesResponse)
	for w.Next(w.T, m) {
	}
	return w.Answer
}

// do sends a call as the operator that must succeed.
func do(t testing.TB, c *kit.Client, method string, in, out proto.Message) {
	t.Helper()
	if a := kit.REST().Call(t, c, method, in, out); a.Code != codes.OK {
		t.Fatalf("%s: %v", method, a)
	}
}

// lives makes an instance, changes it in every way and removes it, and returns what a stream of
// changes shows of that.
func lives(t testing.TB, c *kit.Client) []string {
	t.Helper()
	id := c.Create(t, kit.Machine("Acme")).GetInstanceId()
	do(t, c, "UpdateInstance", &systemv1.UpdateInstanceRequest{InstanceId: id, InstanceName: "Other"}, nil)
	do(t, c, "AddDomain", &systemv1.AddDomainRequest{InstanceId: id, Domain: "x" + id + ".example"}, nil)
	do(t, c, "SetLimits", &systemv1.SetLimitsRequest{InstanceId: id, AuditLogRetention: durationpb.New(time.Hour)}, nil)
	do(t, c, "SetQuota", &systemv1.SetQuotaRequest{
		InstanceId: id, Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED, From: timestamppb.Now(), ResetInterval: durationpb.New(time.Hour),
	}, nil)
	do(t, c, "SetInstanceFeature", &systemv1.SetInstanceFeatureRequest{
		InstanceId: id, FeatureId: featurev1.InstanceFeature_INSTANCE_FEATURE_LOGIN_DEFAULT_ORG,
		Value: &systemv1.SetInstanceFeatureRequest_Bool{Bool: true},
	}, nil)
	do(t, c, lifecycle+"StopInstance", &castellansystemv1.StopInstanceRequest{InstanceId: id}, nil)
	do(t, c, lifecycle+"StopInstance", &castellansystemv1.StopInstanceRequest{InstanceId: id}, nil) // no change
	do(t, c, lifecycle+"StartInstance", &castellansystemv1.StartInstanceRequest{InstanceId: id}, nil)
	do(t, c, "RemoveInstance", &systemv1.RemoveInstanceRequest{InstanceId: id}, nil)
	var want []string
	for _, w := range []string{
		"ADDED instance.added", "DOMAINS_CHANGED instance.domain.added", "DOMAINS_CHANGED instance.domain.primary.set",
		"CHANGED instance.default.org.set", "CHANGED instance.iam.project.set", "CHANGED instance.iam.console.set",
		"CHANGED instance.changed", "DOMAINS_CHANGED instance.domain.added",
		"LIMITS_CHANGED limits.set", "QUOTAS_CHANGED quota.set", "FEATURES_CHANGED feature.instance.login_default_org.set",
		"STOPPED instance.stopped",
		"STARTED instance.started", "REMOVED instance.removed",
	} {
		want = append(want, id+" CHANGE_TYPE_"+w+" by "+kit.Operator().Name)
	}
	return want
}

// TestWatchInstances over every protocol that streams, on two nodes where there can be two: changes
// appear as they are made on one; from any position the other goes on, missing and repeating none.
func TestWatchInstances(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		one := b.Start(t, nil)
		two := one
		if b.MultiNode() {
			two = b.Start(t, nil)
		}
		for i, wire := range kit.Streams() {
			t.Run(wire, func(t *testing.T) {
				c := []*kit.Client{one.Client, two.Client}[i%2]
				w, begun := watch(t, c, wire, kit.Viewer(), &castellansystemv1.WatchInstancesRequest{})
				want := lives(t, one.Client)
				id := want[0][:len(want[0])-len(" CHANGE_TYPE_ADDED instance.added by "+kit.Operator().Name)]
				only := []string{id, "404"}
				var got, positions []string
				// What was committed just before may be shown, too.
				for len(got) < len(want) {
					all, at := w.changes(1)
					if len(got) == 0 && all[0] != want[0] {
						continue
					}
					got, positions = append(got, all...), append(positions, at...)
				}
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("changes (-want +got):\n%s", diff)
				}
				w.Close()
				for n, position := range append([]string{begun}, positions...) {
					from := []*kit.Client{one.Client, two.Client}[n%2]
					again, _ := watch(t, from, wire, kit.Viewer(), &castellansystemv1.WatchInstancesRequest{Position: position, InstanceIds: only})
					rest, _ := again.changes(len(want) - n)
					if diff := gocmp.Diff(want[n:], rest, gocmp.Comparer(slices.Equal[[]string])); diff != "" {
						t.Errorf("from position %d (-want +got):\n%s", n, diff)
					}
					again.Close()
				}
				whole, _ := watch(t, c, wire, kit.Operator(), &castellansystemv1.WatchInstancesRequest{FromBeginning: true, InstanceIds: only})
				if all, _ := whole.changes(len(want)); !slices.Equal(all, want) {
					t.Errorf("from the beginning: %v, want %v", all, want)
				}
				whole.Close()
			})
		}
	})
}

// TestWatchIsRefused, over every protocol that streams, to those who may not, and at positions that
// were not given to them.
func TestWatchIsRefused(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		const purpose = "castellan.system.v1.WatchInstances"
		elsewhere := vault.NewPositions(vault.NewMasterKey([vault.KeySize]byte{1}, nil)).Seal(purpose, "operator", []byte("0.1"))
		for _, wire := range kit.Streams() {
			w, good := watch(t, n.Client, wire, kit.Operator(), &castellansystemv1.WatchInstancesRequest{})
			w.Close()
			for what, c := range map[string]struct {
				token string
				req   *castellansystemv1.WatchInstancesRequest
				code  codes.Code
				id    string
				field []string
			}{
				"nobody":           {"", &castellansystemv1.WatchInstancesRequest{}, codes.Unauthenticated, "", nil},
				"a stranger":       {kit.NewUser("operator").Token(t), &castellansystemv1.WatchInstancesRequest{}, codes.Unauthenticated, "AUTH-7fs1e", nil},
				"made up":          {kit.Operator().Token(t), &castellansystemv1.WatchInstancesRequest{Position: "0.1"}, codes.InvalidArgument, "VAULT-pos01", []string{"position"}},
				"truncated":        {kit.Operator().Token(t), &castellansystemv1.WatchInstancesRequest{Position: good[:len(good)-2]}, codes.InvalidArgument, "VAULT-pos01", []string{"position"}},
				"of another user":  {kit.Viewer().Token(t), &castellansystemv1.WatchInstancesRequest{Position: good}, codes.InvalidArgument, "VAULT-pos01", []string{"position"}},
				"of another place": {kit.Operator().Token(t), &castellansystemv1.WatchInstancesRequest{Position: elsewhere}, codes.InvalidArgument, "VAULT-pos01", []string{"position"}},
				"two beginnings": {
					kit.Operator().Token(t), &castellansystemv1.WatchInstancesRequest{Position: good, FromBeginning: true},
					codes.InvalidArgument, "WATCH-begin", []string{"from_beginning"},
				},
				"an endless position": {
					kit.Operator().Token(t), &castellansystemv1.WatchInstancesRequest{Position: string(make([]byte, 501))},
					codes.InvalidArgument, "", []string{"position"},
				},
				"too many instances": {
					kit.Operator().Token(t), &castellansystemv1.WatchInstancesRequest{InstanceIds: slices.Repeat([]string{"1"}, 101)},
					codes.InvalidArgument, "", []string{"instance_ids"},
				},
			} {
				s := n.Stream(t, wire, kit.Call{Method: lifecycle + "WatchInstances", Request: c.req, Token: c.token})
				m := new(castellansystemv1.WatchInstancesResponse)
				if s.Next(t, m) {
					t.Errorf("%s over %s: was sent %v", what, wire, m)
				} else if s.Answer.Code != c.code || s.Answer.ID != c.id || !slices.Equal(s.Answer.Fields, c.field) {
					t.Errorf("%s over %s: %v, want %v %q %q", what, wire, s.Answer, c.code, c.id, c.field)
				}
				s.Close()
			}
		}
	})
}

// TestWatchEnds with its caller, and with the server, which does not wait for it.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		robot := kit.NewUser("robot")
		for _, wire := range kit.Streams() {
			addUser(t, n.Client, robot, owner())
			w, _ := watch(t, n.Client, wire, robot, &castellansystemv1.WatchInstancesRequest{})
			do(t, n.Client, lifecycle+"RemoveSystemUser", &castellansystemv1.RemoveSystemUserRequest{Id: robot.Name}, nil)
			if a := w.ended(); a.Code != codes.Unauthenticated || a.ID != "AUTH-7fs1e" {
				t.Errorf("over %s, when its caller is removed: %v", wire, a)
			}
		}
		var open []*watching
		for _, wire := range kit.Streams() {
			w, _ := watch(t, kit.NewClient(t, n.URL), wire, kit.Operator(), &castellansystemv1.WatchInstancesRequest{})
			open = append(open, w)
		}
		begin := time.Now()
		n.Stop(t)
		if took := time.Since(begin); took > kit.Patience/2 {
			t.Errorf("the server waited %s for its streams", took)
		}
		for _, w := range open {
			if a := w.ended(); a.Code != codes.Unavailable {
				t.Errorf("over %s, when the server stops: %v", w.wire, a)
			}
		}
	})
}
