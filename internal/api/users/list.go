package users

import (
	"context"
	"fmt"

	v2 "castellan/internal/api/v2"
	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/search"
	"castellan/internal/user"
	"castellan/internal/usermetadata"

	filterv2 "castellan/gen/zitadel/filter/v2"
	userv2 "castellan/gen/zitadel/user/v2"
)

// maxNesting is how deep conditions may stand within conditions.
const maxNesting = 20

// ListUsers returns a page of the users that the caller may see; itself it always may. Without a sorting
// column they are sorted by the date of their creation. It returns QUERY-4M0fs for a page of more than
// 1000, SEARCH-max01 for more than search.MaxConditions conditions or search.MaxValues values in one,
// PERM-zsQ97 for conditions that stand more than 20 deep, and USER2-statex1 for a state that nobody can
// have.
func (s *Service) ListUsers(ctx context.Context, at ident.InstanceID, req *userv2.ListUsersRequest) (*userv2.ListUsersResponse, error) {
	page, err := v2.Page("query", req.GetQuery())
	if err != nil {
		return nil, err
	}
	reader := queries{ctx: ctx, service: s, at: at}
	all, err := reader.list(req.GetQueries(), 1, inside("queries"))
	if err != nil {
		return nil, err
	}
	total, found, err := user.List(ctx, s.DB, at, user.Search{
		Page: page, By: userColumns[req.GetSortingColumn()], Within: call.From(ctx).Rights.Reach(userRead), All: all,
	})
	if err != nil {
		return nil, err
	}
	answer := &userv2.ListUsersResponse{
		Details: v2.Total(total), SortingColumn: req.GetSortingColumn(), Result: make([]*userv2.User, len(found)),
	}
	for i, u := range found {
		answer.Result[i] = shown(u)
	}
	return answer, nil
}

// userColumns are the columns of ListUsers; one that is not declared is the default.
var userColumns = map[userv2.UserFieldName]user.Column{
	userv2.UserFieldName_USER_FIELD_NAME_USER_NAME:    user.ByUserName,
	userv2.UserFieldName_USER_FIELD_NAME_FIRST_NAME:   user.ByFirstName,
	userv2.UserFieldName_USER_FIELD_NAME_LAST_NAME:    user.ByLastName,
	userv2.UserFieldName_USER_FIELD_NAME_NICK_NAME:    user.ByNickName,
	userv2.UserFieldName_USER_FIELD_NAME_DISPLAY_NAME: user.ByDisplayName,
	userv2.UserFieldName_USER_FIELD_NAME_EMAIL:        user.ByEmail,
	userv2.UserFieldName_USER_FIELD_NAME_STATE:        user.ByStatus,
	userv2.UserFieldName_USER_FIELD_NAME_TYPE:         user.ByKind,
}

// queries reads conditions within conditions, and counts them.
type queries struct {
	ctx     context.Context //nolint:containedctx // of one call, in which metadata is looked for
	service *Service
	at      ident.InstanceID
	count   int
}

// inside names the entries of a field.
func inside(field string) func(i int) string {
	return func(i int) string { return fmt.Sprintf("%s[%d]", field, i) }
}

// only names one thing.
func only(field string) func(int) string { return func(int) string { return field } }

// list reads conditions that stand beside each other; name says how each is called. Those on metadata are
// met by one entry together when all must be met.
func (r *queries) list(list []*userv2.SearchQuery, depth int, name func(i int) string) ([]user.Condition, error) {
	if depth > maxNesting {
		return nil, fault.Invalid("PERM-zsQ97", "Errors.Query.TooManyNestingLevels", name(0),
			fmt.Sprintf("must not stand more than %d deep", maxNesting))
	}
	if r.count += len(list); r.count > search.MaxConditions {
		return nil, search.TooMany("queries", r.count, search.MaxConditions)
	}
	var (
		all     []user.Condition
		having  usermetadata.Having
		entries bool
	)
	for i, q := range list {
		if add(&having, q) {
			entries = true
			continue
		}
		c, err := r.one(name(i), q, depth)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if !entries {
		return all, nil
	}
	has, err := r.having(having)
	return append(all, has), err
}

// add adds a condition on metadata to others, and reports whether it is one.
func add(having *usermetadata.Having, q *userv2.SearchQuery) bool {
	switch q := q.GetQuery().(type) {
	case *userv2.SearchQuery_MetadataKeyFilter:
		having.Keys = append(having.Keys, keyCondition(q.MetadataKeyFilter))
	case *userv2.SearchQuery_MetadataValueFilter:
		value := q.MetadataValueFilter.GetValue()
		if q.MetadataValueFilter.GetMethod() == filterv2.ByteFilterMethod_BYTE_FILTER_METHOD_NOT_EQUALS {
			having.OtherValues = append(having.OtherValues, value)
		} else {
			having.Values = append(having.Values, value)
		}
	default:
		return false
	}
	return true
}

// having is the condition that a user has an entry.
func (r *queries) having(h usermetadata.Having) (user.Condition, error) {
	users, err := h.Users(r.ctx, r.service.DB, r.at)
	return user.HasID(users), err
}

// one reads a condition.
func (r *queries) one(field string, q *userv2.SearchQuery, depth int) (user.Condition, error) {
	none := user.Condition{}
	switch q := q.GetQuery().(type) {
	case *userv2.SearchQuery_AndQuery:
		all, err := r.list(q.AndQuery.GetQueries(), depth+1, inside(field+".and_query.queries"))
		return listing.All(all), err
	case *userv2.SearchQuery_OrQuery:
		any, err := r.each(q.OrQuery.GetQueries(), depth+1, inside(field+".or_query.queries"))
		return listing.Any(any), err
	case *userv2.SearchQuery_NotQuery:
		if q.NotQuery.GetQuery() == nil {
			return none, fault.Invalid("USER-query1", "Errors.Query.InvalidRequest", field+".not_query.query", "is required")
		}
		of, err := r.list([]*userv2.SearchQuery{q.NotQuery.GetQuery()}, depth+1, only(field+".not_query.query"))
		return listing.Not(listing.All(of)), err
	case *userv2.SearchQuery_StateQuery:
		return stateCondition(field, q.StateQuery.GetState())
	case *userv2.SearchQuery_TypeQuery:
		return kindCondition(field, q.TypeQuery.GetType())
	case *userv2.SearchQuery_InUserIdsQuery:
		ids := q.InUserIdsQuery.GetUserIds()
		wanted := make([]ident.UserID, len(ids))
		for i, id := range ids {
			wanted[i] = ident.UserID(id)
		}
		return user.HasID(wanted), search.TooMany(field+".in_user_ids_query.user_ids", len(ids), search.MaxValues)
	case *userv2.SearchQuery_InUserEmailsQuery:
		emails := q.InUserEmailsQuery.GetUserEmails()
		return user.HasEmail(emails), search.TooMany(field+".in_user_emails_query.user_emails", len(emails), search.MaxValues)
	case *userv2.SearchQuery_OrganizationIdQuery:
		return user.OwnedBy(ident.OrgID(q.OrganizationIdQuery.GetOrganizationId())), nil
	}
	return textCondition(field, q)
}

// each reads conditions one of which must be met: of those on metadata by an entry of its own.
func (r *queries) each(list []*userv2.SearchQuery, depth int, name func(i int) string) ([]user.Condition, error) {
	any := make([]user.Condition, 0, len(list))
	for i, q := range list {
		alone, err := r.list([]*userv2.SearchQuery{q}, depth, only(name(i)))
		if err != nil {
			return nil, err
		}
		any = append(any, listing.All(alone))
	}
	return any, nil
}

// textCondition reads a condition on a text.
func textCondition(field string, q *userv2.SearchQuery) (user.Condition, error) {
	switch q := q.GetQuery().(type) {
	case *userv2.SearchQuery_UserNameQuery:
		return user.Is(user.UserName, v2.Text(q.UserNameQuery.GetUserName(), q.UserNameQuery.GetMethod())), nil
	case *userv2.SearchQuery_LoginNameQuery:
		return user.Is(user.UserName, v2.Text(q.LoginNameQuery.GetLoginName(), q.LoginNameQuery.GetMethod())), nil
	case *userv2.SearchQuery_FirstNameQuery:
		return user.Is(user.FirstName, v2.Text(q.FirstNameQuery.GetFirstName(), q.FirstNameQuery.GetMethod())), nil
	case *userv2.SearchQuery_LastNameQuery:
		return user.Is(user.LastName, v2.Text(q.LastNameQuery.GetLastName(), q.LastNameQuery.GetMethod())), nil
	case *userv2.SearchQuery_NickNameQuery:
		return user.Is(user.NickName, v2.Text(q.NickNameQuery.GetNickName(), q.NickNameQuery.GetMethod())), nil
	case *userv2.SearchQuery_DisplayNameQuery:
		return user.Is(user.DisplayName, v2.Text(q.DisplayNameQuery.GetDisplayName(), q.DisplayNameQuery.GetMethod())), nil
	case *userv2.SearchQuery_EmailQuery:
		return user.Is(user.Email, v2.Text(q.EmailQuery.GetEmailAddress(), q.EmailQuery.GetMethod())), nil
	case *userv2.SearchQuery_PhoneQuery:
		return user.Is(user.Phone, v2.Text(q.PhoneQuery.GetNumber(), q.PhoneQuery.GetMethod())), nil
	}
	return user.Condition{}, fault.Invalid("USER-query1", "Errors.Query.InvalidRequest", field, "must be a condition")
}

// stateCondition reads a condition on the state of a user.
func stateCondition(field string, state userv2.UserState) (user.Condition, error) {
	for status, of := range states {
		if of == state {
			return user.HasStatus(status), nil
		}
	}
	if state == userv2.UserState_USER_STATE_UNSPECIFIED {
		return user.Condition{}, fault.Invalid("USER2-statex1", "Errors.User.State.Invalid", field+".state_query.state", "must be a state")
	}
	return user.HasStatus(""), nil // nobody is being initialised, and who is removed is not listed
}

// kindCondition reads a condition on the type of a user.
func kindCondition(field string, kind userv2.Type) (user.Condition, error) {
	switch kind {
	case userv2.Type_TYPE_HUMAN:
		return user.OfKind(user.Human), nil
	case userv2.Type_TYPE_MACHINE:
		return user.OfKind(user.Machine), nil
	default:
		return user.Condition{}, fault.Invalid("USER-type01", "Errors.Query.InvalidRequest", field+".type_query.type", "must be a type")
	}
}
