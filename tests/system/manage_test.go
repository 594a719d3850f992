package system_test

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/tests/kit"

	instancev1 "castellan/gen/zitadel/instance/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// TestManage walks an instance through what operators do with it, over every protocol, and
// looks at the events that were left.
func TestManage(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		for _, w := range kit.Wires() {
			m := &managed{T: t, n: n, w: w, domain: w.Name + ".acme.example"}
			m.id = n.Client.Create(t, kit.Machine("Acme "+w.Name)).GetInstanceId()
			begun := len(m.events())
			m.rename()
			m.domains()
			m.lists()
			m.refusals()
			m.remove()
			want := []string{
				"instance.changed", "instance.domain.added", "instance.domain.primary.set",
				"instance.domain.primary.set", "instance.domain.removed", "instance.removed",
			}
			if diff := gocmp.Diff(want, m.events()[begun:]); diff != "" {
				t.Errorf("events over %s (-want +got):\n%s", w.Name, diff)
			}
		}
		logtest.CheckFold(t, n.DB(), n.Events())
	})
}

// managed is one instance that is managed over one protocol.
type managed struct {
	*testing.T
	n          *kit.Node
	w          kit.Wire
	id, domain string
}

func (m *managed) events() []string {
	return logtest.Types(m.T, m.n.DB(), m.n.Events(), ident.InstanceID(m.id))
}

// call sends a call that must be answered with code.
func (m *managed) call(code codes.Code, id, method string, in, into proto.Message) {
	m.Helper()
	if a := m.w.Call(m.T, m.n.Client, method, in, into); a.Code != code || a.ID != id {
		m.Errorf("%s over %s: %v, want %v %q", method, m.w.Name, a, code, id)
	}
}

func (m *managed) rename() {
	var changed systemv1.UpdateInstanceResponse
	for range 2 { // the second changes nothing and leaves nothing
		m.call(codes.OK, "", "UpdateInstance",
			&systemv1.UpdateInstanceRequest{InstanceId: m.id, InstanceName: " New " + m.w.Name}, &changed)
	}
	if d := changed.GetDetails(); d.GetResourceOwner() != m.id || d.GetCreationDate() == nil {
		m.Errorf("UpdateInstance over %s: %v", m.w.Name, d)
	}
	if got, _ := m.n.Client.Get(m.T, m.id); got.GetInstance().GetName() != "New "+m.w.Name {
		m.Errorf("over %s the name became %q", m.w.Name, got.GetInstance().GetName())
	}
}

func (m *managed) domains() {
	exists := func(want bool) {
		m.Helper()
		var out systemv1.ExistsDomainResponse
		m.call(codes.OK, "", "ExistsDomain", &systemv1.ExistsDomainRequest{Domain: m.domain}, &out)
		if out.GetExists() != want {
			m.Errorf("over %s %s exists: %v, want %v", m.w.Name, m.domain, out.GetExists(), want)
		}
	}
	primary := func(generated bool) {
		m.Helper()
		var out systemv1.ListDomainsResponse
		m.call(codes.OK, "", "ListDomains", &systemv1.ListDomainsRequest{
			InstanceId: m.id,
			Queries: []*instancev1.DomainSearchQuery{{Query: &instancev1.DomainSearchQuery_PrimaryQuery{
				PrimaryQuery: &instancev1.DomainPrimaryQuery{Primary: true},
			}}},
		}, &out)
		if len(out.GetResult()) != 1 || out.GetResult()[0].GetGenerated() != generated {
			m.Errorf("over %s the primary domains are %v", m.w.Name, out.GetResult())
		}
	}
	exists(false)
	m.call(codes.OK, "", "AddDomain", &systemv1.AddDomainRequest{InstanceId: m.id, Domain: m.domain}, &systemv1.AddDomainResponse{})
	exists(true)
	primary(true)
	m.call(codes.OK, "", "SetPrimaryDomain", &systemv1.SetPrimaryDomainRequest{InstanceId: m.id, Domain: m.domain}, &systemv1.SetPrimaryDomainResponse{})
	primary(false)
	m.call(codes.OK, "", "RemoveDomain", &systemv1.RemoveDomainRequest{InstanceId: m.id, Domain: m.domain}, &systemv1.RemoveDomainResponse{})
	exists(false)
	primary(true) // decision D5
}

func (m *managed) lists() {
	var found systemv1.ListInstancesResponse
	m.call(codes.OK, "", "ListInstances", &systemv1.ListInstancesRequest{Queries: []*instancev1.Query{{
		Query: &instancev1.Query_IdQuery{IdQuery: &instancev1.IdsQuery{Ids: []string{m.id, "1"}}},
	}}}, &found)
	if len(found.GetResult()) != 1 || found.GetResult()[0].GetId() != m.id || found.GetDetails().GetTotalResult() != 1 {
		m.Errorf("over %s found %v", m.w.Name, &found)
	}
	var members systemv1.ListIAMMembersResponse
	m.call(codes.OK, "", "ListIAMMembers", &systemv1.ListIAMMembersRequest{InstanceId: m.id}, &members)
	if len(members.GetResult()) != 1 || gocmp.Diff([]string{"IAM_OWNER"}, members.GetResult()[0].GetRoles()) != "" {
		m.Errorf("over %s the members are %v", m.w.Name, members.GetResult())
	}
	var added systemv1.AddInstanceResponse
	m.call(codes.OK, "", "AddInstance", &systemv1.AddInstanceRequest{
		InstanceName: "Added", OwnerEmail: &systemv1.AddInstanceRequest_Email{Email: "ada@acme.example"},
	}, &added)
	if got, _ := m.n.Client.Get(m.T, added.GetInstanceId()); got.GetInstance().GetName() != "Added" {
		m.Errorf("over %s AddInstance made %v", m.w.Name, got)
	}
}

func (m *managed) refusals() {
	got, _ := m.n.Client.Get(m.T, m.id)
	generated := got.GetInstance().GetDomains()[0].GetDomain()
	none := &systemv1.RemoveDomainResponse{}
	m.call(codes.FailedPrecondition, "INSTANCE-9hn3n", "RemoveDomain", &systemv1.RemoveDomainRequest{InstanceId: m.id, Domain: generated}, none)
	m.call(codes.NotFound, "INSTANCE-8ls9f", "RemoveDomain", &systemv1.RemoveDomainRequest{InstanceId: m.id, Domain: "none.example"}, none)
	m.call(codes.AlreadyExists, "INST-i2nl", "AddDomain", &systemv1.AddDomainRequest{InstanceId: m.id, Domain: generated}, &systemv1.AddDomainResponse{})
	m.call(codes.InvalidArgument, "INST-S3v3w", "AddDomain", &systemv1.AddDomainRequest{InstanceId: m.id, Domain: "a_b"}, &systemv1.AddDomainResponse{})
	m.call(codes.NotFound, "", "UpdateInstance", &systemv1.UpdateInstanceRequest{InstanceId: "1", InstanceName: "X"}, &systemv1.UpdateInstanceResponse{})
}

// remove ends the instance: nothing leads to it any more, and its names are free.
func (m *managed) remove() {
	got, _ := m.n.Client.Get(m.T, m.id)
	generated := got.GetInstance().GetDomains()[0].GetDomain()
	var out systemv1.RemoveInstanceResponse
	m.call(codes.OK, "", "RemoveInstance", &systemv1.RemoveInstanceRequest{InstanceId: m.id}, &out)
	if d := out.GetDetails(); d.GetResourceOwner() != m.id || d.GetCreationDate() == nil || d.GetSequence() <= got.GetInstance().GetDetails().GetSequence() {
		m.Errorf("RemoveInstance over %s: %v", m.w.Name, d)
	}
	m.call(codes.NotFound, "", "RemoveInstance", &systemv1.RemoveInstanceRequest{InstanceId: m.id}, nil)
	m.call(codes.NotFound, "", "GetInstance", &systemv1.GetInstanceRequest{InstanceId: m.id}, nil)
	m.call(codes.NotFound, "", "AddDomain", &systemv1.AddDomainRequest{InstanceId: m.id, Domain: m.domain}, nil)
	m.call(codes.NotFound, "", "ListIAMMembers", &systemv1.ListIAMMembersRequest{InstanceId: m.id}, nil)
	var exists systemv1.ExistsDomainResponse
	m.call(codes.OK, "", "ExistsDomain", &systemv1.ExistsDomainRequest{Domain: generated}, &exists)
	var found systemv1.ListInstancesResponse
	m.call(codes.OK, "", "ListInstances", &systemv1.ListInstancesRequest{Queries: []*instancev1.Query{{
		Query: &instancev1.Query_IdQuery{IdQuery: &instancev1.IdsQuery{Ids: []string{m.id}}},
	}}}, &found)
	if exists.GetExists() || len(found.GetResult()) != 0 {
		m.Errorf("over %s the removed instance is found: %v, %v", m.w.Name, &exists, &found)
	}
}
