package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/client"
	"castellan/internal/terminal"

	instancev1 "castellan/gen/zitadel/instance/v1"
)

// instance returns `castellan instance`.
func (c *Commands) instance() *cobra.Command {
	return terminal.Group(&cobra.Command{Use: "instance", Short: "Create instances and look at them, by the API of a server"},
		c.createInstance(), c.getInstance())
}

// getInstance returns `castellan instance get`.
func (c *Commands) getInstance() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get ID",
		Short:   "Show an instance and its domains",
		Example: "  castellan instance get 123 --output json",
		Args:    terminal.Arguments("ID"),
	}
	at, output := client.AddAccess(cmd), terminal.AddOutput(cmd)
	cmd.RunE = c.Do(func(ctx context.Context, args []string) error {
		to, err := at.Client(c.Surroundings)
		if err != nil {
			return err
		}
		found, err := to.GetInstance(ctx, args[0])
		if err != nil {
			return to.Explain(err)
		}
		if *output == terminal.OutputJSON {
			return terminal.WriteMessage(c.Out, found)
		}
		return terminal.WriteTable(c.Out, instanceRows(found.GetInstance()))
	})
	return cmd
}

// instanceRows shows an instance as a table.
func instanceRows(i *instancev1.InstanceDetail) []terminal.Row {
	rows := []terminal.Row{
		{"Instance", i.GetId()},
		{"Name", i.GetName()},
		{"State", strings.ToLower(strings.TrimPrefix(i.GetState().String(), "STATE_"))},
		{"Version", i.GetVersion()},
		{"Created", date(i.GetDetails().GetCreationDate())},
		{"Changed", date(i.GetDetails().GetChangeDate())},
	}
	for _, d := range i.GetDomains() {
		rows = append(rows, terminal.Row{"Domain", DomainText(d)})
	}
	return rows
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

// date shows a time in UTC, empty when there is none.
func date(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339)
}
