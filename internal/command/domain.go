package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/terminal"

	instancev1 "castellan/gen/zitadel/instance/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// listDomains returns `castellan instance domains`.
func (c *Commands) listDomains() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "domains ID",
		Short:   "List the domains of an instance",
		Example: "  castellan instance domains 123 --sort created --contains acme",
		Args:    terminal.Arguments("ID"),
	}
	sort := addWords(cmd, "sort", "what to sort by", []word[instancev1.DomainFieldName]{
		{"domain", instancev1.DomainFieldName_DOMAIN_FIELD_NAME_DOMAIN},
		{"primary", instancev1.DomainFieldName_DOMAIN_FIELD_NAME_PRIMARY},
		{"generated", instancev1.DomainFieldName_DOMAIN_FIELD_NAME_GENERATED},
		{"created", instancev1.DomainFieldName_DOMAIN_FIELD_NAME_CREATION_DATE},
	})
	contains := cmd.Flags().String("contains", "", "only domains with this `text` in them")
	primary := cmd.Flags().Bool("primary", false, "only the primary one; --primary=false: only the others")
	generated := cmd.Flags().Bool("generated", false, "only the generated one; --generated=false: only the others")
	queries := func() (all []*instancev1.DomainSearchQuery) {
		add := func(flag string, q *instancev1.DomainSearchQuery) {
			if cmd.Flags().Changed(flag) {
				all = append(all, q)
			}
		}
		add("contains", &instancev1.DomainSearchQuery{Query: &instancev1.DomainSearchQuery_DomainQuery{
			DomainQuery: &instancev1.DomainQuery{Domain: *contains, Method: containsText},
		}})
		add("primary", &instancev1.DomainSearchQuery{Query: &instancev1.DomainSearchQuery_PrimaryQuery{
			PrimaryQuery: &instancev1.DomainPrimaryQuery{Primary: *primary},
		}})
		add("generated", &instancev1.DomainSearchQuery{Query: &instancev1.DomainSearchQuery_GeneratedQuery{
			GeneratedQuery: &instancev1.DomainGeneratedQuery{Generated: *generated},
		}})
		return all
	}
	return client.List(c.Surroundings, cmd, systemv1.SystemService_ListDomains_FullMethodName, client.AddPaging(cmd),
		func(args []string, p client.Page) (*systemv1.ListDomainsRequest, error) {
			return &systemv1.ListDomainsRequest{InstanceId: args[0], Query: p.Query(), SortingColumn: sort(), Queries: queries()}, nil
		},
		func(r *systemv1.ListDomainsResponse) ([]*instancev1.Domain, uint64) {
			return r.GetResult(), r.GetDetails().GetTotalResult()
		},
		terminal.Row{"DOMAIN", "PRIMARY", "GENERATED", "CREATED"},
		func(d *instancev1.Domain) terminal.Row {
			return terminal.Row{d.GetDomain(), yesNo(d.GetPrimary()), yesNo(d.GetGenerated()), date(d.GetDetails().GetCreationDate())}
		})
}

// yesNo is a bool in words.
func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// addDomain returns `castellan instance add-domain`.
func (c *Commands) addDomain() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "add-domain ID DOMAIN",
		Short:   "Give an instance a further domain",
		Example: "  castellan instance add-domain 123 login.acme.example",
		Args:    terminal.Arguments("ID", "DOMAIN"),
	}
	return client.One(c.Surroundings, cmd, systemv1.SystemService_AddDomain_FullMethodName,
		func(args []string) (*systemv1.AddDomainRequest, error) {
			return &systemv1.AddDomainRequest{InstanceId: args[0], Domain: args[1]}, nil
		},
		func(args []string, r *systemv1.AddDomainResponse) []terminal.Row {
			return done(args[0], "Added", r.GetDetails())
		})
}

// removeDomain returns `castellan instance remove-domain`.
func (c *Commands) removeDomain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove-domain ID DOMAIN",
		Short: "Take a domain from an instance",
		Long: `remove-domain takes a domain from an instance, which another instance can then have. When it is the
primary one, the generated domain becomes primary; that one cannot be removed.`,
		Example: "  castellan instance remove-domain 123 login.acme.example --yes",
		Args:    terminal.Arguments("ID", "DOMAIN"),
	}
	return client.One(c.Surroundings, cmd, systemv1.SystemService_RemoveDomain_FullMethodName,
		func(args []string) (*systemv1.RemoveDomainRequest, error) {
			return &systemv1.RemoveDomainRequest{InstanceId: args[0], Domain: args[1]}, nil
		},
		func(args []string, r *systemv1.RemoveDomainResponse) []terminal.Row {
			return done(args[0], "Removed", r.GetDetails())
		},
		client.Ask(c.Surroundings, cmd, func(args []string) string {
			return fmt.Sprintf("The instance %s will no longer be reached as %s.", args[0], args[1])
		}))
}

// setPrimaryDomain returns `castellan instance set-primary-domain`.
func (c *Commands) setPrimaryDomain() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "set-primary-domain ID DOMAIN",
		Short:   "Make one of the domains of an instance its primary one",
		Example: "  castellan instance set-primary-domain 123 login.acme.example",
		Args:    terminal.Arguments("ID", "DOMAIN"),
	}
	return client.One(c.Surroundings, cmd, systemv1.SystemService_SetPrimaryDomain_FullMethodName,
		func(args []string) (*systemv1.SetPrimaryDomainRequest, error) {
			return &systemv1.SetPrimaryDomainRequest{InstanceId: args[0], Domain: args[1]}, nil
		},
		func(args []string, r *systemv1.SetPrimaryDomainResponse) []terminal.Row {
			return done(args[0], "Changed", r.GetDetails())
		})
}

// existsDomain returns `castellan instance exists-domain`, whose exit code is an answer too.
func (c *Commands) existsDomain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exists-domain DOMAIN",
		Short: "Say whether any instance has a domain",
		Long: `exists-domain prints whether any instance has the domain. Its exit code is 0 when one has it and 1
when none has; when it is 1 because the server was not reached, nothing is printed but an error.`,
		Example: "  castellan instance exists-domain acme.example >/dev/null && echo taken",
		Args:    terminal.Arguments("DOMAIN"),
	}
	at, output := client.Add(cmd)
	cmd.RunE = c.Do(func(ctx context.Context, args []string) error {
		to, err := at.Client(c.Surroundings)
		if err != nil {
			return err
		}
		answer, err := client.Call[systemv1.ExistsDomainRequest, systemv1.ExistsDomainResponse](ctx, to,
			systemv1.SystemService_ExistsDomain_FullMethodName, &systemv1.ExistsDomainRequest{Domain: args[0]})
		if err != nil {
			return err
		}
		if *output == terminal.OutputJSON {
			err = terminal.WriteJSON(c.Out, map[string]bool{"exists": answer.GetExists()}) // also where it is false
		} else {
			err = terminal.WriteTable(c.Out, []terminal.Row{{"Domain", args[0]}, {"Exists", yesNo(answer.GetExists())}})
		}
		if err == nil && !answer.GetExists() {
			err = terminal.ErrNo
		}
		return err
	})
	return cmd
}
