package users

import (
	"fmt"
	"strings"
	"testing"

	filterv2 "castellan/gen/zitadel/filter/v2"
	metadatav2 "castellan/gen/zitadel/metadata/v2"
	objectv2 "castellan/gen/zitadel/object/v2"
	userv2 "castellan/gen/zitadel/user/v2"
)

// Conditions, shortly.
type query = userv2.SearchQuery

func userName(name string, method objectv2.TextQueryMethod) *query {
	return &query{Query: &userv2.SearchQuery_UserNameQuery{UserNameQuery: &userv2.UserNameQuery{UserName: name, Method: method}}}
}

func and(of ...*query) *query {
	return &query{Query: &userv2.SearchQuery_AndQuery{AndQuery: &userv2.AndQuery{Queries: of}}}
}

func or(of ...*query) *query {
	return &query{Query: &userv2.SearchQuery_OrQuery{OrQuery: &userv2.OrQuery{Queries: of}}}
}

func not(of *query) *query {
	return &query{Query: &userv2.SearchQuery_NotQuery{NotQuery: &userv2.NotQuery{Query: of}}}
}

func state(s userv2.UserState) *query {
	return &query{Query: &userv2.SearchQuery_StateQuery{StateQuery: &userv2.StateQuery{State: s}}}
}

func kind(of userv2.Type) *query {
	return &query{Query: &userv2.SearchQuery_TypeQuery{TypeQuery: &userv2.TypeQuery{Type: of}}}
}

func key(k string) *query {
	return &query{Query: &userv2.SearchQuery_MetadataKeyFilter{MetadataKeyFilter: &metadatav2.MetadataKeyFilter{Key: k}}}
}

func value(v string, method filterv2.ByteFilterMethod) *query {
	return &query{Query: &userv2.SearchQuery_MetadataValueFilter{MetadataValueFilter: &metadatav2.MetadataValueFilter{Value: []byte(v), Method: method}}}
}

const (
	equals     = objectv2.TextQueryMethod_TEXT_QUERY_METHOD_EQUALS
	anyCase    = objectv2.TextQueryMethod_TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE
	contains   = objectv2.TextQueryMethod_TEXT_QUERY_METHOD_CONTAINS
	sameValue  = filterv2.ByteFilterMethod_BYTE_FILTER_METHOD_EQUALS
	otherValue = filterv2.ByteFilterMethod_BYTE_FILTER_METHOD_NOT_EQUALS
)

func TestListUsers(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for user, metadata := range map[string][]*userv2.Metadata{
			"ada": {{Key: "team", Value: []byte("red")}, {Key: "size", Value: []byte("s")}}, "boss": {{Key: "team", Value: []byte("s")}},
		} {
			_, err := f.SetUserMetadata(f.ctx(), "1", &userv2.SetUserMetadataRequest{UserId: user, Metadata: metadata})
			f.must(err)
		}
		_, err := f.LockUser(f.ctx(), "1", &userv2.LockUserRequest{UserId: "boss"})
		f.must(err)
		cases := []struct {
			name string
			ask  []*query
			want string
		}{
			{"all", nil, "ada boss ci"},
			{"user name", []*query{userName("ADA", anyCase)}, "ada"},
			{"login name", []*query{{Query: &userv2.SearchQuery_LoginNameQuery{LoginNameQuery: &userv2.LoginNameQuery{LoginName: "boss", Method: equals}}}}, "boss"},
			{"first name", []*query{{Query: &userv2.SearchQuery_FirstNameQuery{FirstNameQuery: &userv2.FirstNameQuery{FirstName: "a", Method: contains}}}}, "ada"},
			{"last name", []*query{{Query: &userv2.SearchQuery_LastNameQuery{LastNameQuery: &userv2.LastNameQuery{LastName: "TESTER", Method: anyCase}}}}, "ada boss"},
			{"nick name", []*query{{Query: &userv2.SearchQuery_NickNameQuery{NickNameQuery: &userv2.NickNameQuery{NickName: "x"}}}}, ""},
			{"display name", []*query{{Query: &userv2.SearchQuery_DisplayNameQuery{DisplayNameQuery: &userv2.DisplayNameQuery{DisplayName: "boss Tester"}}}}, "boss"},
			{"address", []*query{{Query: &userv2.SearchQuery_EmailQuery{EmailQuery: &userv2.EmailQuery{EmailAddress: "@acme", Method: contains}}}}, "ada boss"},
			{"number", []*query{{Query: &userv2.SearchQuery_PhoneQuery{PhoneQuery: &userv2.PhoneQuery{Number: "+41"}}}}, ""},
			{"state", []*query{state(userv2.UserState_USER_STATE_LOCKED)}, "boss"},
			{"state nobody has", []*query{state(userv2.UserState_USER_STATE_INITIAL)}, ""},
			{"type", []*query{kind(userv2.Type_TYPE_MACHINE)}, "ci"},
			{"type human", []*query{kind(userv2.Type_TYPE_HUMAN)}, "ada boss"},
			{"ids", []*query{{Query: &userv2.SearchQuery_InUserIdsQuery{InUserIdsQuery: &userv2.InUserIDQuery{UserIds: []string{"ci", "ada", "404"}}}}}, "ada ci"},
			{"addresses", []*query{{Query: &userv2.SearchQuery_InUserEmailsQuery{InUserEmailsQuery: &userv2.InUserEmailsQuery{UserEmails: []string{"ada@acme.example"}}}}}, "ada"},
			{"organization", []*query{{Query: &userv2.SearchQuery_OrganizationIdQuery{OrganizationIdQuery: &userv2.OrganizationIdQuery{OrganizationId: "8"}}}}, ""},
			{"and", []*query{and(kind(userv2.Type_TYPE_HUMAN), not(userName("ada", equals)))}, "boss"},
			{"or", []*query{or(kind(userv2.Type_TYPE_MACHINE), userName("ada", equals))}, "ada ci"},
			{"or of nothing", []*query{or()}, ""},
			{"a key", []*query{key("team")}, "ada boss"},
			{"a key and a value, of one entry", []*query{key("team"), value("s", sameValue)}, "boss"},
			{"a key or a value", []*query{or(key("size"), value("s", sameValue))}, "ada boss"},
			{"another value", []*query{key("team"), value("s", otherValue)}, "ada"},
			{"not a key", []*query{not(key("team"))}, "ci"},
			{"a key within", []*query{and(key("size"), kind(userv2.Type_TYPE_HUMAN))}, "ada"},
		}
		for _, c := range cases {
			got, err := f.ListUsers(f.ctx(), "1", &userv2.ListUsersRequest{
				SortingColumn: userv2.UserFieldName_USER_FIELD_NAME_USER_NAME, Query: &objectv2.ListQuery{Asc: true}, Queries: c.ask,
			})
			if err != nil {
				f.Errorf("%s: %v", c.name, err)
				continue
			}
			var names []string
			for _, u := range got.GetResult() {
				names = append(names, u.GetUsername())
			}
			if found := strings.Join(names, " "); found != c.want || int(got.GetDetails().GetTotalResult()) != len(names) ||
				got.GetSortingColumn() != userv2.UserFieldName_USER_FIELD_NAME_USER_NAME {
				f.Errorf("%s: found %q of %d, want %q", c.name, found, got.GetDetails().GetTotalResult(), c.want)
			}
		}
		hers := f.by(herself)
		got, err := hers.ListUsers(hers.ctx(), "1", &userv2.ListUsersRequest{})
		f.must(err)
		if len(got.GetResult()) != 1 || got.GetResult()[0].GetUserId() != "ada" {
			f.Errorf("she sees %v", got)
		}
	})
}

func TestListUsersRefusals(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		deep := userName("ada", equals)
		for range maxNesting {
			deep = not(deep)
		}
		wide := make([]*query, 101)
		many := make([]string, 1001)
		for i := range wide {
			wide[i] = userName(fmt.Sprint(i), equals)
		}
		for _, c := range []struct {
			name   string
			req    *userv2.ListUsersRequest
			id     string
			fields []string
		}{
			{"a large page", &userv2.ListUsersRequest{Query: &objectv2.ListQuery{Limit: 1001}}, "QUERY-4M0fs", []string{"query.limit"}},
			{"deep", &userv2.ListUsersRequest{Queries: []*query{deep}}, "PERM-zsQ97", []string{"queries[0]" + strings.Repeat(".not_query.query", maxNesting)}},
			{"wide", &userv2.ListUsersRequest{Queries: wide}, "SEARCH-max01", []string{"queries"}},
			{"wide within", &userv2.ListUsersRequest{Queries: []*query{or(wide[:50]...), and(wide[:50]...)}}, "SEARCH-max01", []string{"queries"}},
			{"many ids", &userv2.ListUsersRequest{Queries: []*query{{Query: &userv2.SearchQuery_InUserIdsQuery{InUserIdsQuery: &userv2.InUserIDQuery{UserIds: many}}}}}, "SEARCH-max01", []string{"queries[0].in_user_ids_query.user_ids"}},
			{"many addresses", &userv2.ListUsersRequest{Queries: []*query{{Query: &userv2.SearchQuery_InUserEmailsQuery{InUserEmailsQuery: &userv2.InUserEmailsQuery{UserEmails: many}}}}}, "SEARCH-max01", []string{"queries[0].in_user_emails_query.user_emails"}},
			{"no state", &userv2.ListUsersRequest{Queries: []*query{state(0)}}, "USER2-statex1", []string{"queries[0].state_query.state"}},
			{"no type", &userv2.ListUsersRequest{Queries: []*query{or(kind(0))}}, "USER-type01", []string{"queries[0].or_query.queries[0].type_query.type"}},
			{"no condition", &userv2.ListUsersRequest{Queries: []*query{{}}}, "USER-query1", []string{"queries[0]"}},
			{"not of nothing", &userv2.ListUsersRequest{Queries: []*query{not(nil)}}, "USER-query1", []string{"queries[0].not_query.query"}},
		} {
			_, err := f.ListUsers(f.ctx(), "1", c.req)
			f.refused(err, c.id, c.fields...)
		}
	})
}
