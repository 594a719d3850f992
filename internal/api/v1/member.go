package v1

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/ident"
	"castellan/internal/roster"
	"castellan/internal/search"
	"castellan/internal/user"

	memberv1 "castellan/gen/zitadel/member/v1"
	userv1 "castellan/gen/zitadel/user/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// MemberSearch is the request of a list of members.
type MemberSearch interface {
	GetQuery() *zitadelv1.ListQuery
	GetSortingColumn() memberv1.MemberFieldColumnName
	GetQueries() []*memberv1.SearchQuery
}

// MembersWanted reads which members are searched for (contract section 2.7). Without a sorting column
// they are sorted by the ids of their users. It returns SEARCH-max01 for more than search.MaxConditions
// queries.
func MembersWanted(req MemberSearch) (roster.Search, error) {
	if err := search.TooMany("queries", len(req.GetQueries()), search.MaxConditions); err != nil {
		return roster.Search{}, err
	}
	wanted := roster.Search{Page: Page(req.GetQuery()), By: memberColumns[req.GetSortingColumn()]}
	for _, q := range req.GetQueries() {
		switch q := q.GetQuery().(type) {
		case *memberv1.SearchQuery_FirstNameQuery:
			wanted.FirstNames = append(wanted.FirstNames, Text(q.FirstNameQuery.GetFirstName(), q.FirstNameQuery.GetMethod()))
		case *memberv1.SearchQuery_LastNameQuery:
			wanted.LastNames = append(wanted.LastNames, Text(q.LastNameQuery.GetLastName(), q.LastNameQuery.GetMethod()))
		case *memberv1.SearchQuery_EmailQuery:
			wanted.Emails = append(wanted.Emails, Text(q.EmailQuery.GetEmail(), q.EmailQuery.GetMethod()))
		case *memberv1.SearchQuery_UserIdQuery:
			wanted.Users = append(wanted.Users, ident.UserID(q.UserIdQuery.GetUserId()))
		}
	}
	return wanted, nil
}

// memberColumns are the columns of a list of members; one that is not declared is the default.
var memberColumns = map[memberv1.MemberFieldColumnName]roster.Column{
	memberv1.MemberFieldColumnName_MEMBER_FIELD_NAME_USER_ID:             roster.ByUser,
	memberv1.MemberFieldColumnName_MEMBER_FIELD_NAME_CREATION_DATE:       roster.ByCreation,
	memberv1.MemberFieldColumnName_MEMBER_FIELD_NAME_CHANGE_DATE:         roster.ByChange,
	memberv1.MemberFieldColumnName_MEMBER_FIELD_NAME_USER_RESOURCE_OWNER: roster.ByUserOrg,
}

// Members shows members.
func Members(all []roster.Member) []*memberv1.Member {
	members := make([]*memberv1.Member, len(all))
	for i, m := range all {
		members[i] = memberOf(m)
	}
	return members
}

func memberOf(m roster.Member) *memberv1.Member {
	kind := userv1.Type_TYPE_HUMAN
	if m.UserKind == user.Machine {
		kind = userv1.Type_TYPE_MACHINE
	}
	return &memberv1.Member{
		UserId: string(m.User),
		Details: &zitadelv1.ObjectDetails{
			Sequence:      m.Sequence,
			CreationDate:  timestamppb.New(m.CreatedAt),
			ChangeDate:    timestamppb.New(m.ChangedAt),
			ResourceOwner: m.Owner,
		},
		Roles:              m.Roles,
		PreferredLoginName: m.LoginName,
		Email:              m.Email,
		FirstName:          m.FirstName,
		LastName:           m.LastName,
		DisplayName:        m.DisplayName,
		UserType:           kind,
		UserResourceOwner:  string(m.UserOrg),
	}
}
