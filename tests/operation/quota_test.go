package operation_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/server"
	"castellan/tests/kit"

	instancev2 "castellan/gen/zitadel/instance/v2"
	quotav1 "castellan/gen/zitadel/quota/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// notified is what is posted to a call URL (contract section 2.8).
type notified struct {
	Unit        any       `json:"unit"`
	ID          string    `json:"id"`
	CallURL     string    `json:"callURL"`
	PeriodStart time.Time `json:"periodStart"`
	Threshold   uint16    `json:"threshold"`
	Usage       uint64    `json:"usage"`
}

// TestQuota: the users of an instance get as many answers as its quota has, across a restart; the
// operator is told at half of it, and never counted.
func TestQuota(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		told := make(chan notified, 10)
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			var got notified
			if err != nil || json.Unmarshal(body, &got) != nil {
				t.Errorf("posted %q: %v", body, err)
			}
			told <- got
		}))
		t.Cleanup(receiver.Close)
		n := b.Start(t, local)
		made := n.Create(t, kit.WithDomain(kit.Machine("Acme"), "acme.example"))
		const amount = 6
		from := time.Now().Add(-time.Hour).Truncate(time.Second)
		a := kit.REST().Call(t, n.Client, "SetQuota", &systemv1.SetQuotaRequest{
			InstanceId: made.GetInstanceId(), Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED,
			From: timestamppb.New(from), ResetInterval: durationpb.New(240 * time.Hour), Amount: amount, Limit: true,
			Notifications: []*quotav1.Notification{{Percent: 50, CallUrl: receiver.URL + "/told"}},
		}, &systemv1.SetQuotaResponse{})
		if a.Code != codes.OK {
			t.Fatal(a)
		}
		ask := func(n *kit.Node, token string, code codes.Code, id string) {
			t.Helper()
			const method = "zitadel.instance.v2.InstanceService/GetInstance"
			a := kit.GRPC().Send(t, n.At(t, "acme.example"), kit.Call{
				Method: method, Token: token, Request: &instancev2.GetInstanceRequest{},
			}, &instancev2.GetInstanceResponse{})
			if a.Code != code || a.ID != id {
				t.Errorf("%v, want %v %q", a, code, id)
			}
		}
		for range amount - 2 {
			ask(n, made.GetPat(), codes.OK, "")
			ask(n, kit.Operator().Token(t), codes.OK, "")
		}
		select {
		case got := <-told:
			if got.CallURL != receiver.URL+"/told" || !got.PeriodStart.Equal(from) || got.Threshold != 50 || got.Usage < amount/2 || got.ID == "" {
				t.Errorf("told %+v", got)
			}
		case <-time.After(kit.Patience):
			t.Fatalf("nobody was told; logged:\n%s", n.Logs.Bytes())
		}
		n.Stop(t)

		n = b.Start(t, func(c *server.Config) { local(c) })
		for range 2 {
			ask(n, made.GetPat(), codes.OK, "")
		}
		ask(n, made.GetPat(), codes.ResourceExhausted, "QUOTA-vjAy8")
		ask(n, kit.Operator().Token(t), codes.OK, "")
		a = kit.REST().Call(t, n.Client, "RemoveQuota", &systemv1.RemoveQuotaRequest{
			InstanceId: made.GetInstanceId(), Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED,
		}, &systemv1.RemoveQuotaResponse{})
		if a.Code != codes.OK {
			t.Fatal(a)
		}
		ask(n, made.GetPat(), codes.OK, "")
		n.Stop(t)
		if len(told) > 0 {
			t.Errorf("told again: %+v", <-told)
		}
		logtest.CheckFold(t, b.Start(t, nil).DB(), n.Events())
	})
}
