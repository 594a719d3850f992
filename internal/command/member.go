package command

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/terminal"

	memberv1 "castellan/gen/zitadel/member/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// containsText is how flags that look for a text compare.
const containsText = zitadelv1.TextQueryMethod_TEXT_QUERY_METHOD_CONTAINS_IGNORE_CASE

// listMembers returns `castellan instance members`.
func (c *Commands) listMembers() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "members ID",
		Short:   "List the users who have a role on an instance itself",
		Example: "  castellan instance members 123 --email @acme.example",
		Args:    terminal.Arguments("ID"),
	}
	sort := addWords(cmd, "sort", "what to sort by", []word[memberv1.MemberFieldColumnName]{
		{"user", memberv1.MemberFieldColumnName_MEMBER_FIELD_NAME_USER_ID},
		{"created", memberv1.MemberFieldColumnName_MEMBER_FIELD_NAME_CREATION_DATE},
		{"changed", memberv1.MemberFieldColumnName_MEMBER_FIELD_NAME_CHANGE_DATE},
		{"organization", memberv1.MemberFieldColumnName_MEMBER_FIELD_NAME_USER_RESOURCE_OWNER},
	})
	f := cmd.Flags()
	userID := f.String("user-id", "", "only the user with this `id`")
	email := f.String("email", "", "only users with this `text` in their email address")
	first := f.String("first-name", "", "only users with this `text` in their first name")
	last := f.String("last-name", "", "only users with this `text` in their last name")
	queries := func() (all []*memberv1.SearchQuery) {
		if *userID != "" {
			all = append(all, &memberv1.SearchQuery{Query: &memberv1.SearchQuery_UserIdQuery{
				UserIdQuery: &memberv1.UserIDQuery{UserId: *userID},
			}})
		}
		if *email != "" {
			all = append(all, &memberv1.SearchQuery{Query: &memberv1.SearchQuery_EmailQuery{
				EmailQuery: &memberv1.EmailQuery{Email: *email, Method: containsText},
			}})
		}
		if *first != "" {
			all = append(all, &memberv1.SearchQuery{Query: &memberv1.SearchQuery_FirstNameQuery{
				FirstNameQuery: &memberv1.FirstNameQuery{FirstName: *first, Method: containsText},
			}})
		}
		if *last != "" {
			all = append(all, &memberv1.SearchQuery{Query: &memberv1.SearchQuery_LastNameQuery{
				LastNameQuery: &memberv1.LastNameQuery{LastName: *last, Method: containsText},
			}})
		}
		return all
	}
	return client.List(c.Surroundings, cmd, systemv1.SystemService_ListIAMMembers_FullMethodName, client.AddPaging(cmd),
		func(args []string, p client.Page) (*systemv1.ListIAMMembersRequest, error) {
			return &systemv1.ListIAMMembersRequest{InstanceId: args[0], Query: p.Query(), SortingColumn: sort(), Queries: queries()}, nil
		},
		func(r *systemv1.ListIAMMembersResponse) ([]*memberv1.Member, uint64) {
			return r.GetResult(), r.GetDetails().GetTotalResult()
		},
		terminal.Row{"USER", "NAME", "LOGIN NAME", "TYPE", "ROLES"},
		func(m *memberv1.Member) terminal.Row {
			return terminal.Row{
				m.GetUserId(), cmp.Or(m.GetDisplayName(), m.GetEmail()), m.GetPreferredLoginName(),
				enumText(m.GetUserType().String(), "TYPE_"), strings.Join(m.GetRoles(), ", "),
			}
		})
}
