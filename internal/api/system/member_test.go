package system_test

import (
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	memberv1 "castellan/gen/zitadel/member/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
	userv1 "castellan/gen/zitadel/user/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

func TestListIAMMembers(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		made := timestamppb.New(f.clock.Now())
		robots := f.create("Robots", "")
		var out systemv1.AddInstanceResponse
		f.call(&out, http.MethodPost, "/instances", `{"instanceName":"Acme","ownerUserName":"ada",
 "ownerEmail":{"email":"Ada@acme.example"},"ownerProfile":{"firstName":"Ädä","lastName":"Lovelace"}}`)
		acme := out.GetInstanceId()
		f.clock.Advance(time.Minute)
		now, before := timestamppb.New(f.clock.Now()), f.count()

		members := func(id, body string) *systemv1.ListIAMMembersResponse {
			f.Helper()
			var out systemv1.ListIAMMembersResponse
			f.decode(&out, f.send(request{verb: http.MethodPost, path: "/instances/" + id + "/members/_search", body: body, as: viewer}))
			return &out
		}
		// The id of the user is the one thing not known beforehand.
		check := func(id, body string, want *memberv1.Member) {
			f.Helper()
			got := members(id, body)
			answer := &systemv1.ListIAMMembersResponse{Details: &zitadelv1.ListDetails{ViewTimestamp: now}}
			if want != nil && len(got.GetResult()) == 1 {
				want.UserId = got.GetResult()[0].GetUserId()
				answer.Details.TotalResult, answer.Result = 1, []*memberv1.Member{want}
			}
			f.equal(got, answer)
		}
		details := func(id string) *zitadelv1.ObjectDetails {
			return &zitadelv1.ObjectDetails{Sequence: 1, CreationDate: made, ChangeDate: made, ResourceOwner: id}
		}
		robot := &memberv1.Member{
			Details: details(robots), Roles: []string{"IAM_OWNER"}, PreferredLoginName: "robot", DisplayName: "Robot",
			UserType: userv1.Type_TYPE_MACHINE, UserResourceOwner: string(f.get(robots).DefaultOrg),
		}
		ada := &memberv1.Member{
			Details: details(acme), Roles: []string{"IAM_OWNER"}, PreferredLoginName: "ada@acme.id.example", Email: "Ada@acme.example",
			FirstName: "Ädä", LastName: "Lovelace", DisplayName: "Ädä Lovelace",
			UserType: userv1.Type_TYPE_HUMAN, UserResourceOwner: string(f.get(acme).DefaultOrg),
		}
		check(robots, `{}`, robot)
		check(acme, `{}`, ada)
		for _, column := range []string{"USER_ID", "CREATION_DATE", "CHANGE_DATE", "USER_RESOURCE_OWNER", "UNSPECIFIED"} {
			check(acme, `{"query":{"limit":5,"asc":true},"sortingColumn":"MEMBER_FIELD_NAME_`+column+`"}`, ada)
		}
		for _, query := range []string{
			`{"firstNameQuery":{"firstName":"ÄDÄ","method":"TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE"}}`,
			`{"lastNameQuery":{"lastName":"lace","method":6}}`, `{"emailQuery":{"email":"Ada@acme.example"}}`,
			`{"userIdQuery":{"userId":"` + ada.GetUserId() + `"}}`,
			`{"firstNameQuery":{"firstName":"Ädä"}},{"lastNameQuery":{"lastName":"Love","method":2}}`,
		} {
			check(acme, `{"queries":[`+query+`]}`, ada)
			check(robots, `{"queries":[`+query+`]}`, nil)
		}
		for _, query := range []string{
			`{"firstNameQuery":{"firstName":"ädä"}}`, `{"emailQuery":{"email":"%","method":4}}`, `{"userIdQuery":{"userId":"404"}}`,
			`{"firstNameQuery":{"firstName":"Ädä"}},{"lastNameQuery":{"lastName":"Other"}}`,
		} {
			check(acme, `{"queries":[`+query+`]}`, nil)
		}
		if got := members(acme, `{"query":{"offset":1}}`); got.GetDetails().GetTotalResult() != 1 || len(got.GetResult()) != 0 {
			f.Errorf("beyond the end: %v", got)
		}

		search := func(body string) request {
			return request{verb: http.MethodPost, path: "/instances/" + acme + "/members/_search", body: body}
		}
		f.refused(search(`{"queries":[{}]}`), http.StatusBadRequest, "", "queries[0].query")
		f.refused(search(`{"queries":[{"emailQuery":{"method":9}}]}`), http.StatusBadRequest, "", "queries[0].email_query.method")
		f.hidden(http.MethodPost, "/instances/404/members/_search", "{}", true)
		if f.count() != before {
			f.Error("a search left events")
		}
	})
}
