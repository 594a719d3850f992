package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/terminal"

	lifecyclev1 "castellan/gen/castellan/system/v1"
)

// audit returns `castellan audit`.
func (c *Commands) audit() *cobra.Command {
	return terminal.Group(&cobra.Command{Use: "audit", Short: "Read who called what"}, c.listAudit())
}

// auditQuery is what the flags of `castellan audit list` say.
type auditQuery struct {
	request     *lifecyclev1.ListAuditEntriesRequest
	from, until string
	follow      bool
}

// listAudit returns `castellan audit list`.
func (c *Commands) listAudit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the calls that were made, newest first",
		Long: `list shows the calls of callers who were known, newest first: who called what about which
instance, from where, and how it ended. Times are RFC 3339 or a duration from now.`,
		Example: `  castellan audit list --actor ops --from -24h
  castellan audit list --method Remove --outcome OK --follow-pages --output json`,
		Args: terminal.Arguments(),
	}
	q := &auditQuery{request: &lifecyclev1.ListAuditEntriesRequest{MethodComparison: containsText}}
	f := cmd.Flags()
	f.StringVar(&q.request.Actor, "actor", "", "only calls of the system user with this `name`, or the user with this id")
	f.StringVar(&q.request.Method, "method", "", "only calls with this `text` in the name of method or service")
	f.StringVar(&q.request.InstanceId, "instance", "", "only calls about the instance with this `id`")
	f.StringVar(&q.request.Outcome, "outcome", "", "only calls that ended with this gRPC `code`, such as OK or PermissionDenied")
	f.StringVar(&q.from, "from", "", "only calls that came in at this `time` or later")
	f.StringVar(&q.until, "until", "", "only calls that came in before this `time`")
	f.Uint32Var(&q.request.Limit, "limit", client.ShownLimit, "how many to show at most, up to 1000")
	f.StringVar(&q.request.Position, "position", "", "go on after this `position`, the nextPosition of an earlier answer")
	f.BoolVar(&q.follow, "follow-pages", false, fmt.Sprintf("show all of them, asked for %d at a time", client.PageSize))
	cmd.MarkFlagsMutuallyExclusive("limit", "follow-pages")
	at, output := client.Add(cmd)
	cmd.RunE = c.Do(func(ctx context.Context, _ []string) error {
		if err := q.complete(c); err != nil {
			return err
		}
		to, err := at.Client(c.Surroundings)
		if err != nil {
			return err
		}
		shown := terminal.NewList(c.Out, *output, terminal.Row{"AT", "ACTOR", "METHOD", "INSTANCE", "OUTCOME", "DURATION", "FROM"},
			&lifecyclev1.ListAuditEntriesResponse{})
		more, err := q.pages(ctx, to, shown)
		if err != nil {
			return err
		}
		if more && !f.Changed("limit") {
			fmt.Fprintln(c.Err, "There are more; --follow-pages shows all of them.")
		}
		return shown.End()
	})
	return cmd
}

// complete reads the flags that cannot be sent as they are.
func (q *auditQuery) complete(c *Commands) (err error) {
	if q.request.From, err = moment("--from", q.from, c.Clock.Now()); err != nil {
		return err
	}
	if q.request.Until, err = moment("--until", q.until, c.Clock.Now()); err != nil {
		return err
	}
	if q.follow {
		q.request.Limit = client.PageSize
	}
	return nil
}

// pages shows one page, or all there are; more says that there is another.
func (q *auditQuery) pages(ctx context.Context, to *client.Client, shown terminal.List) (more bool, err error) {
	for {
		answer, err := client.Call[lifecyclev1.ListAuditEntriesRequest, lifecyclev1.ListAuditEntriesResponse](ctx, to,
			lifecyclev1.InstanceLifecycleService_ListAuditEntries_FullMethodName, q.request)
		if err != nil {
			return false, err
		}
		next := answer.GetNextPosition()
		if q.follow {
			answer.NextPosition = "" // of all pages together there is no next one
		}
		if err := shown.Page(answer, client.Rows(answer.GetEntries(), auditRow)); err != nil {
			return false, err
		}
		if next == "" || !q.follow {
			return next != "", nil
		}
		q.request.Position = next
	}
}

// auditRow shows a call as a row.
func auditRow(e *lifecyclev1.AuditEntry) terminal.Row {
	return terminal.Row{
		date(e.GetAt()), e.GetActor(), e.GetMethod(), e.GetInstanceId(), e.GetOutcome(),
		e.GetDuration().AsDuration().String(), e.GetRemoteAddress(),
	}
}
