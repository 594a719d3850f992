package isolation

import (
	"slices"
	"testing"

	instancev1 "castellan/gen/zitadel/instance/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// The paths are those of the fields that can name another instance's things, at every depth.
func TestNames(t *testing.T) {
	var got []string
	for _, p := range Names((&systemv1.ListInstancesRequest{}).ProtoReflect().Descriptor()) {
		got = append(got, p.String())
	}
	if want := []string{"queries.id_query.ids", "queries.domain_query.domains"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestSet(t *testing.T) {
	m := &systemv1.ListInstancesRequest{}
	for _, p := range Names(m.ProtoReflect().Descriptor()) {
		Set(m, p, "x")
	}
	q, ok := m.GetQueries()[0].GetQuery().(*instancev1.Query_DomainQuery)
	if !ok || !slices.Equal(q.DomainQuery.GetDomains(), []string{"x"}) {
		t.Errorf("the request is %v", m)
	}
}
