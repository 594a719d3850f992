package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"

	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/terminal"

	lifecyclev1 "castellan/gen/castellan/system/v1"
)

// stopInstance returns `castellan instance stop`.
func (c *Commands) stopInstance() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stop ID",
		Short: "Stop an instance, which keeps all it has",
		Long: `stop makes an instance serve nothing but the calls of operators, until 'castellan instance start'. It
keeps all it has. One that is stopped stays so.`,
		Example: "  castellan instance stop 123",
		Args:    terminal.Arguments("ID"),
	}
	return client.One(c.Surroundings, cmd, lifecyclev1.InstanceLifecycleService_StopInstance_FullMethodName,
		func(args []string) (*lifecyclev1.StopInstanceRequest, error) {
			return &lifecyclev1.StopInstanceRequest{InstanceId: args[0]}, nil
		},
		func(args []string, r *lifecyclev1.StopInstanceResponse) []terminal.Row {
			return done(args[0], "Changed", r.GetDetails())
		})
}

// startInstance returns `castellan instance start`.
func (c *Commands) startInstance() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "start ID",
		Short:   "Make a stopped instance serve again",
		Example: "  castellan instance start 123",
		Args:    terminal.Arguments("ID"),
	}
	return client.One(c.Surroundings, cmd, lifecyclev1.InstanceLifecycleService_StartInstance_FullMethodName,
		func(args []string) (*lifecyclev1.StartInstanceRequest, error) {
			return &lifecyclev1.StartInstanceRequest{InstanceId: args[0]}, nil
		},
		func(args []string, r *lifecyclev1.StartInstanceResponse) []terminal.Row {
			return done(args[0], "Changed", r.GetDetails())
		})
}

// watchInstances returns `castellan instance watch`.
func (c *Commands) watchInstances() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Show what happens to instances, as it happens",
		Long: `watch shows every change of instances as it is committed, until it is interrupted or the server
stops. It ends by saying the position it has come to: with --position the next watch goes on after
it, so that no change is missed and none is shown twice. As JSON there is one object a line,
each with its position, also where nothing has changed for a while.`,
		Example: `  castellan instance watch --from-beginning
  castellan instance watch --instance 123 --output json | jq --unbuffered -r .change.eventType`,
		Args: terminal.Arguments(),
	}
	ids := cmd.Flags().StringArray("instance", nil, "only changes of the instance with this `id`; can be repeated, up to 100 times")
	beginning := cmd.Flags().Bool("from-beginning", false, "begin with the oldest change there is")
	position := cmd.Flags().String("position", "", "go on after this `position` of an earlier watch")
	cmd.MarkFlagsMutuallyExclusive("from-beginning", "position")
	at, output := client.Add(cmd)
	cmd.RunE = c.Do(func(ctx context.Context, _ []string) error {
		to, err := at.Client(c.Surroundings)
		if err != nil {
			return err
		}
		return c.watch(ctx, to, &lifecyclev1.WatchInstancesRequest{
			Position: *position, FromBeginning: *beginning, InstanceIds: *ids,
		}, *output)
	})
	return cmd
}

// watch shows changes until ctx ends or an interrupt comes, which is no error.
func (c *Commands) watch(ctx context.Context, to *client.Client, request *lifecyclev1.WatchInstancesRequest, form string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	// The header comes at once, and makes room for what is usual: rows come one by one.
	table := terminal.NewTable(c.Out, terminal.Row{
		fmt.Sprintf("%-20s", "AT"), fmt.Sprintf("%-18s", "INSTANCE"), fmt.Sprintf("%-15s", "CHANGE"), fmt.Sprintf("%-30s", "EVENT"),
		"SEQUENCE", "ACTOR",
	})
	last := ""
	err := client.Stream(ctx, to, lifecyclev1.InstanceLifecycleService_WatchInstances_FullMethodName, request,
		func(r *lifecyclev1.WatchInstancesResponse) error {
			last = r.GetPosition()
			if form == terminal.OutputJSON {
				return terminal.WriteLine(c.Out, r)
			}
			return table.Write(changeRows(r.GetChange()))
		})
	if last != "" && form != terminal.OutputJSON { // JSON has said it already
		fmt.Fprintf(c.Err, "Go on with --position %s\n", terminal.Quote(last))
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return to.Explain(err)
}

// changeRows shows a change as a row; none when there is none.
func changeRows(change *lifecyclev1.Change) []terminal.Row {
	if change == nil {
		return nil
	}
	return []terminal.Row{{
		date(change.GetAt()), change.GetInstanceId(), enumText(change.GetType().String(), "CHANGE_TYPE_"),
		change.GetEventType(), strconv.FormatUint(change.GetSequence(), 10), change.GetActor(),
	}}
}
