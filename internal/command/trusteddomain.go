package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/terminal"

	filterv2 "castellan/gen/zitadel/filter/v2"
	instancev2 "castellan/gen/zitadel/instance/v2"
)

// listTrustedDomains returns `castellan instance trusted-domains`.
func (c *Commands) listTrustedDomains() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "trusted-domains ID",
		Short:   "List the trusted domains of an instance",
		Example: "  castellan instance trusted-domains 123",
		Args:    terminal.Arguments("ID"),
	}
	sort := addWords(cmd, "sort", "what to sort by", []word[instancev2.TrustedDomainFieldName]{
		{"domain", instancev2.TrustedDomainFieldName_TRUSTED_DOMAIN_FIELD_NAME_DOMAIN},
		{"created", instancev2.TrustedDomainFieldName_TRUSTED_DOMAIN_FIELD_NAME_CREATION_DATE},
	})
	return client.List(c.Surroundings, cmd, instancev2.InstanceService_ListTrustedDomains_FullMethodName, client.AddPaging(cmd),
		func(args []string, p client.Page) (*instancev2.ListTrustedDomainsRequest, error) {
			return &instancev2.ListTrustedDomainsRequest{
				InstanceId: args[0], SortingColumn: sort(),
				Pagination: &filterv2.PaginationRequest{Offset: p.Offset, Limit: p.Limit, Asc: p.Asc},
			}, nil
		},
		func(r *instancev2.ListTrustedDomainsResponse) ([]*instancev2.TrustedDomain, uint64) {
			return r.GetTrustedDomain(), r.GetPagination().GetTotalResult()
		},
		terminal.Row{"DOMAIN", "CREATED"},
		func(d *instancev2.TrustedDomain) terminal.Row {
			return terminal.Row{d.GetDomain(), date(d.GetCreationDate())}
		})
}

// addTrustedDomain returns `castellan instance add-trusted-domain`.
func (c *Commands) addTrustedDomain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add-trusted-domain ID DOMAIN",
		Short: "Let an instance be shown under a further host name",
		Long: `add-trusted-domain lets an instance be shown to its users under a host name, for example by a proxy
in front of it. Unlike a domain it leads to no instance by itself.`,
		Example: "  castellan instance add-trusted-domain 123 www.acme.example",
		Args:    terminal.Arguments("ID", "DOMAIN"),
	}
	return client.One(c.Surroundings, cmd, instancev2.InstanceService_AddTrustedDomain_FullMethodName,
		func(args []string) (*instancev2.AddTrustedDomainRequest, error) {
			return &instancev2.AddTrustedDomainRequest{InstanceId: args[0], TrustedDomain: args[1]}, nil
		},
		func(args []string, r *instancev2.AddTrustedDomainResponse) []terminal.Row {
			return []terminal.Row{{"Instance", args[0]}, {"Added", date(r.GetCreationDate())}}
		})
}

// removeTrustedDomain returns `castellan instance remove-trusted-domain`.
func (c *Commands) removeTrustedDomain() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove-trusted-domain ID DOMAIN",
		Short:   "Take a trusted domain from an instance",
		Example: "  castellan instance remove-trusted-domain 123 www.acme.example",
		Args:    terminal.Arguments("ID", "DOMAIN"),
	}
	return client.One(c.Surroundings, cmd, instancev2.InstanceService_RemoveTrustedDomain_FullMethodName,
		func(args []string) (*instancev2.RemoveTrustedDomainRequest, error) {
			return &instancev2.RemoveTrustedDomainRequest{InstanceId: args[0], TrustedDomain: args[1]}, nil
		},
		func(args []string, r *instancev2.RemoveTrustedDomainResponse) []terminal.Row {
			return []terminal.Row{{"Instance", args[0]}, {"Removed", date(r.GetDeletionDate())}}
		},
		client.Ask(c.Surroundings, cmd, func(args []string) string {
			return fmt.Sprintf("The instance %s will no longer be shown as %s.", args[0], args[1])
		}))
}
