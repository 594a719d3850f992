package command

import (
	"strconv"

	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/terminal"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// database is what all views are in, as the API has it.
const database = "castellan"

// addDatabase gives cmd the flag that says which database a view is in.
func addDatabase(cmd *cobra.Command) *string {
	return cmd.Flags().String("database", database, "`name` of the database the view is in")
}

// view returns `castellan view`.
func (c *Commands) view() *cobra.Command {
	return terminal.Group(&cobra.Command{Use: "view", Short: "Look after the tables that are built from the event log"},
		c.listViews(), c.clearView())
}

// listViews returns `castellan view list`.
func (c *Commands) listViews() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the views",
		Example: "  castellan view list",
		Args:    terminal.Arguments(),
	}
	return client.List(c.Surroundings, cmd, systemv1.SystemService_ListViews_FullMethodName, nil,
		func([]string, client.Page) (*systemv1.ListViewsRequest, error) {
			return &systemv1.ListViewsRequest{}, nil
		},
		func(r *systemv1.ListViewsResponse) ([]*systemv1.View, uint64) { return r.GetResult(), 0 },
		terminal.Row{"NAME", "DATABASE", "PROCESSED", "LAST RUN"},
		func(v *systemv1.View) terminal.Row {
			return terminal.Row{
				v.GetViewName(), v.GetDatabase(), strconv.FormatUint(v.GetProcessedSequence(), 10), date(v.GetLastSuccessfulSpoolerRun()),
			}
		})
}

// clearView returns `castellan view clear`.
func (c *Commands) clearView() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clear NAME",
		Short: "Build a view again from the event log",
		Long: `clear builds a view again from the event log and ends when it is built. The view can be read and
written meanwhile. Many instances take their time: --timeout says how much.`,
		Example: "  castellan view clear projections.instances --timeout 10m",
		Args:    terminal.Arguments("NAME"),
	}
	in := addDatabase(cmd)
	return client.One(c.Surroundings, cmd, systemv1.SystemService_ClearView_FullMethodName,
		func(args []string) (*systemv1.ClearViewRequest, error) {
			return &systemv1.ClearViewRequest{Database: *in, ViewName: args[0]}, nil
		},
		func(args []string, _ *systemv1.ClearViewResponse) []terminal.Row {
			return []terminal.Row{{"View", args[0]}, {"Built", "again"}}
		})
}
