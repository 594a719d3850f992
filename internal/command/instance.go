package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/terminal"

	instancev1 "castellan/gen/zitadel/instance/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// instance returns `castellan instance`.
func (c *Commands) instance() *cobra.Command {
	return terminal.Group(&cobra.Command{Use: "instance", Short: "Create, list, change and remove instances"},
		c.createInstance(), c.listInstances(), c.getInstance(), c.updateInstance(), c.removeInstance(),
		c.listDomains(), c.addDomain(), c.removeDomain(), c.setPrimaryDomain(), c.existsDomain(),
		c.stopInstance(), c.startInstance(), c.watchInstances(),
		c.listTrustedDomains(), c.addTrustedDomain(), c.removeTrustedDomain(), c.listMembers())
}

// listInstances returns `castellan instance list`.
func (c *Commands) listInstances() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List instances",
		Long: `list shows the instances that meet all conditions, 100 of them unless flags say otherwise. With
--all it asks for page after page and shows each as it comes.`,
		Example: `  castellan instance list --sort name
  castellan instance list --domain acme.example --domain www.acme.example
  castellan instance list --all --output json | jq -r '.result[].id'`,
		Args: terminal.Arguments(),
	}
	sort := addWords(cmd, "sort", "what to sort by", []word[instancev1.FieldName]{
		{"id", instancev1.FieldName_FIELD_NAME_ID},
		{"name", instancev1.FieldName_FIELD_NAME_NAME},
		{"created", instancev1.FieldName_FIELD_NAME_CREATION_DATE},
	})
	ids := cmd.Flags().StringArray("id", nil, "only the instance with this `id`; can be repeated")
	domains := cmd.Flags().StringArray("domain", nil, "only the instance with this `domain`; can be repeated, up to 20 times")
	return client.List(c.Surroundings, cmd, systemv1.SystemService_ListInstances_FullMethodName, client.AddPaging(cmd),
		func(_ []string, p client.Page) (*systemv1.ListInstancesRequest, error) {
			return &systemv1.ListInstancesRequest{Query: p.Query(), SortingColumn: sort(), Queries: instanceQueries(*ids, *domains)}, nil
		},
		func(r *systemv1.ListInstancesResponse) ([]*instancev1.Instance, uint64) {
			return r.GetResult(), r.GetDetails().GetTotalResult()
		},
		terminal.Row{"ID", "NAME", "STATE", "DOMAIN", "CREATED"},
		func(i *instancev1.Instance) terminal.Row {
			return terminal.Row{i.GetId(), i.GetName(), enumText(i.GetState().String(), "STATE_"), primaryOf(i.GetDomains()), date(i.GetDetails().GetCreationDate())}
		})
}

// instanceQueries returns the conditions for instances that have one of the ids and one of the
// domains, as far as there are any.
func instanceQueries(ids, domains []string) (all []*instancev1.Query) {
	if len(ids) > 0 {
		all = append(all, &instancev1.Query{Query: &instancev1.Query_IdQuery{IdQuery: &instancev1.IdsQuery{Ids: ids}}})
	}
	if len(domains) > 0 {
		all = append(all, &instancev1.Query{Query: &instancev1.Query_DomainQuery{DomainQuery: &instancev1.DomainsQuery{Domains: domains}}})
	}
	return all
}

// getInstance returns `castellan instance get`.
func (c *Commands) getInstance() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get ID",
		Short:   "Show an instance and its domains",
		Example: "  castellan instance get 123 --output json",
		Args:    terminal.Arguments("ID"),
	}
	return client.One(c.Surroundings, cmd, systemv1.SystemService_GetInstance_FullMethodName,
		func(args []string) (*systemv1.GetInstanceRequest, error) {
			return &systemv1.GetInstanceRequest{InstanceId: args[0]}, nil
		},
		func(_ []string, r *systemv1.GetInstanceResponse) []terminal.Row { return instanceRows(r.GetInstance()) })
}

// updateInstance returns `castellan instance update`.
func (c *Commands) updateInstance() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "update ID",
		Short:   "Rename an instance; its domains stay as they are",
		Example: "  castellan instance update 123 --name 'Acme & Sons'",
		Args:    terminal.Arguments("ID"),
	}
	name := cmd.Flags().String("name", "", "the new `name`")
	terminal.Must(cmd.MarkFlagRequired("name"))
	return client.One(c.Surroundings, cmd, systemv1.SystemService_UpdateInstance_FullMethodName,
		func(args []string) (*systemv1.UpdateInstanceRequest, error) {
			return &systemv1.UpdateInstanceRequest{InstanceId: args[0], InstanceName: *name}, nil
		},
		func(args []string, r *systemv1.UpdateInstanceResponse) []terminal.Row {
			return done(args[0], "Changed", r.GetDetails())
		})
}

// removeInstance returns `castellan instance remove`.
func (c *Commands) removeInstance() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove ID",
		Short: "Remove an instance and all it holds, for good",
		Long: `remove removes an instance with its users, keys and domains. Nothing of it can be had back. It
shows the instance and asks for its name; --yes goes ahead without.`,
		Example: "  castellan instance remove 123",
		Args:    terminal.Arguments("ID"),
	}
	return client.One(c.Surroundings, cmd, systemv1.SystemService_RemoveInstance_FullMethodName,
		func(args []string) (*systemv1.RemoveInstanceRequest, error) {
			return &systemv1.RemoveInstanceRequest{InstanceId: args[0]}, nil
		},
		func(args []string, r *systemv1.RemoveInstanceResponse) []terminal.Row {
			return done(args[0], "Removed", r.GetDetails())
		},
		client.AskFor(c.Surroundings, cmd, aboutInstance))
}

// aboutInstance asks whether to remove an instance, with what would be gone.
func aboutInstance(ctx context.Context, to *client.Client, args []string) (question, word string, err error) {
	found, err := to.GetInstance(ctx, args[0])
	if err != nil {
		return "", "", to.Explain(err)
	}
	var b strings.Builder
	terminal.Must(terminal.WriteTable(&b, instanceRows(found.GetInstance()))) // a builder takes everything
	b.WriteString("\nThe instance will be gone for good, with its users, keys and domains.")
	return b.String(), found.GetInstance().GetName(), nil
}

// instanceRows shows an instance as a table.
func instanceRows(i *instancev1.InstanceDetail) []terminal.Row {
	rows := []terminal.Row{
		{"Instance", i.GetId()},
		{"Name", i.GetName()},
		{"State", enumText(i.GetState().String(), "STATE_")},
		{"Version", i.GetVersion()},
		{"Created", date(i.GetDetails().GetCreationDate())},
		{"Changed", date(i.GetDetails().GetChangeDate())},
	}
	for _, d := range i.GetDomains() {
		rows = append(rows, terminal.Row{"Domain", DomainText(d)})
	}
	return rows
}

// primaryOf returns the primary one of domains.
func primaryOf(domains []*instancev1.Domain) string {
	for _, d := range domains {
		if d.GetPrimary() {
			return d.GetDomain()
		}
	}
	return ""
}

// DomainText shows a domain with what is special about it.
func DomainText(d *instancev1.Domain) string {
	var notes []string
	if d.GetPrimary() {
		notes = append(notes, "primary")
	}
	if d.GetGenerated() {
		notes = append(notes, "generated")
	}
	if len(notes) == 0 {
		return d.GetDomain()
	}
	return fmt.Sprintf("%s (%s)", d.GetDomain(), strings.Join(notes, ", "))
}
