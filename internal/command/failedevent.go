package command

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/terminal"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// failedEvent returns `castellan failed-event`.
func (c *Commands) failedEvent() *cobra.Command {
	return terminal.Group(&cobra.Command{Use: "failed-event", Short: "Look after what could not be done about events"},
		c.listFailedEvents(), c.removeFailedEvent())
}

// listFailedEvents returns `castellan failed-event list`.
func (c *Commands) listFailedEvents() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the events that could not be processed",
		Example: "  castellan failed-event list --output json",
		Args:    terminal.Arguments(),
	}
	return client.List(c.Surroundings, cmd, systemv1.SystemService_ListFailedEvents_FullMethodName, nil,
		func([]string, client.Page) (*systemv1.ListFailedEventsRequest, error) {
			return &systemv1.ListFailedEventsRequest{}, nil
		},
		func(r *systemv1.ListFailedEventsResponse) ([]*systemv1.FailedEvent, uint64) { return r.GetResult(), 0 },
		terminal.Row{"VIEW", "SEQUENCE", "FAILURES", "LAST FAILED", "ERROR"},
		func(e *systemv1.FailedEvent) terminal.Row {
			return terminal.Row{
				e.GetViewName(), strconv.FormatUint(e.GetFailedSequence(), 10), strconv.FormatUint(e.GetFailureCount(), 10),
				date(e.GetLastFailed()), e.GetErrorMessage(),
			}
		})
}

// removeFailedEvent returns `castellan failed-event remove`.
func (c *Commands) removeFailedEvent() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove VIEW SEQUENCE",
		Short: "Forget that an event could not be processed",
		Long: `remove takes an event from the list of failed ones, and nothing more is tried about it. VIEW and
SEQUENCE are those that 'castellan failed-event list' shows; its instance is named in the error.`,
		Example: "  castellan failed-event remove projections.deliveries_quota 345 --instance 123",
		Args:    terminal.Arguments("VIEW", "SEQUENCE"),
	}
	in := addDatabase(cmd)
	instance := cmd.Flags().String("instance", "", "`id` of the instance the event belongs to")
	terminal.Must(cmd.MarkFlagRequired("instance"))
	return client.One(c.Surroundings, cmd, systemv1.SystemService_RemoveFailedEvent_FullMethodName,
		func(args []string) (*systemv1.RemoveFailedEventRequest, error) {
			sequence, err := strconv.ParseUint(args[1], 10, 64)
			if err != nil {
				return nil, terminal.Usagef("SEQUENCE must be a whole number, not %.100q", args[1])
			}
			return &systemv1.RemoveFailedEventRequest{
				Database: *in, ViewName: args[0], FailedSequence: sequence, InstanceId: *instance,
			}, nil
		},
		func(args []string, _ *systemv1.RemoveFailedEventResponse) []terminal.Row {
			return []terminal.Row{{"View", args[0]}, {"Sequence", args[1]}, {"Removed", "yes"}}
		},
		client.Ask(c.Surroundings, cmd, func(args []string) string {
			return fmt.Sprintf("The event %s of %s will not be tried again.", args[1], args[0])
		}))
}
