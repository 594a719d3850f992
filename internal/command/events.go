package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"castellan/internal/client"
	"castellan/internal/terminal"

	eventsv1 "castellan/gen/castellan/events/v1"
	eventv1 "castellan/gen/zitadel/event/v1"
)

// longestPause is how long, in seconds, a tail waits at most before it tries to go on.
const longestPause = 30

// events returns `castellan events`.
func (c *Commands) events() *cobra.Command {
	return terminal.Group(&cobra.Command{Use: "events", Short: "Read what happened in an instance"}, c.tailEvents())
}

// tailEvents returns `castellan events tail`.
func (c *Commands) tailEvents() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show what happens in an instance, as it happens",
		Long: `tail shows every event of an instance as it is committed, until it is interrupted: with --instance as
a user of the instance who may read its events, by a personal access token, the key of a machine user or
a name and secret; with --id as an operator.

When the connection breaks it goes on where it was: no event is missed and none is shown twice. It ends
by saying the position it has come to, for --position. As JSON there is one object a line, each with
its position, also where nothing has happened for a while. Times are RFC 3339 or a duration from now.`,
		Example: `  CASTELLAN_TOKEN=... castellan events tail --instance https://acme.example.com
  castellan events tail --instance https://acme.example.com --key machine-key.json --since -24h
  castellan events tail --id 123 --type user.machine.added --output json | jq --unbuffered -r .event.aggregate.id`,
		Args: terminal.Arguments(),
	}
	request := &eventsv1.TailEventsRequest{}
	f := cmd.Flags()
	f.StringVar(&request.InstanceId, "id", "", "the instance with this `id`, as an operator")
	since := f.String("since", "", "begin with the events of this `time`")
	f.StringVar(&request.Position, "position", "", "go on after this `position` of an earlier tail")
	f.StringArrayVar(&request.EventTypes, "type", nil, "only events of this `type`, such as user.machine.added; can be repeated")
	f.StringArrayVar(&request.AggregateTypes, "aggregate-type", nil, "only events of things of this `type`, such as user; can be repeated")
	f.StringVar(&request.AggregateId, "aggregate", "", "only events of the thing with this `id`")
	at, output := client.Add(cmd)
	grant := client.AddGrant(cmd)
	cmd.MarkFlagsOneRequired("instance", "id")
	cmd.MarkFlagsMutuallyExclusive("instance", "id")
	cmd.MarkFlagsMutuallyExclusive("since", "position")
	cmd.RunE = c.Do(func(ctx context.Context, _ []string) (err error) {
		if request.Since, err = moment("--since", *since, c.Clock.Now()); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
		to, err := c.tailed(ctx, cmd, at, grant)
		if err != nil {
			return err
		}
		t := &tailing{commands: c, to: to, request: request, form: *output, table: terminal.NewTable(c.Out, tailHeader)}
		return t.run(ctx)
	})
	return cmd
}

// tailed is the client of a tail: of the instance itself, or of the server.
func (c *Commands) tailed(ctx context.Context, cmd *cobra.Command, at *client.Access, grant *client.Grant) (*client.Client, error) {
	if grant.Instance == "" {
		if err := refuseFlags(cmd, "needs --instance", "client-id", "scope"); err != nil {
			return nil, err
		}
		return at.Client(c.Surroundings)
	}
	if err := refuseFlags(cmd, "is for operators, who name the instance by --id", "server", "user", "audience"); err != nil {
		return nil, err
	}
	return grant.Client(ctx, c.Surroundings, at)
}

// tailHeader comes at once, and makes room for what is usual: rows come one by one.
var tailHeader = terminal.Row{
	fmt.Sprintf("%-20s", "AT"), fmt.Sprintf("%-34s", "EVENT"), fmt.Sprintf("%-30s", "AGGREGATE"), "SEQUENCE", fmt.Sprintf("%-20s", "BY"), "PAYLOAD",
}

// tailing is one run of a tail.
type tailing struct {
	commands *Commands
	to       *client.Client
	request  *eventsv1.TailEventsRequest
	form     string
	table    *terminal.Table

	broken error // of standard output
	begun  bool  // there was an answer since the last try
}

// run shows events until ctx ends, which is no error, or it cannot go on.
func (t *tailing) run(ctx context.Context) error {
	err := t.follow(ctx)
	if p := t.request.Position; p != "" && t.form != terminal.OutputJSON { // JSON has said it already
		fmt.Fprintf(t.commands.Err, "Go on with --position %s\n", terminal.Quote(p))
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// follow is run without the last word. What could not even begin is not tried again.
func (t *tailing) follow(ctx context.Context) error {
	for pause := 1; ; pause = min(2*pause, longestPause) {
		t.begun = false
		err := client.Stream(ctx, t.to, eventsv1.EventService_TailEvents_FullMethodName, t.request, t.see)
		// A token that has expired is replaced, if it can be.
		expired := t.begun && connect.CodeOf(err) == connect.CodeUnauthenticated
		switch {
		case t.broken != nil:
			return t.broken
		case ctx.Err() != nil:
			return ctx.Err()
		case t.request.Position == "" || !client.Temporary(err) && !expired:
			return t.to.Explain(err)
		}
		if t.begun {
			pause = 1
		}
		why := "the server ended the stream"
		if err != nil {
			why = t.to.Explain(err).Error()
		}
		fmt.Fprintf(t.commands.Err, "%s; trying again in %d s\n", why, pause)
		if !t.pause(ctx, pause) {
			return ctx.Err()
		}
	}
}

// pause waits some seconds, and says whether there is a point in going on.
func (t *tailing) pause(ctx context.Context, seconds int) bool {
	ticks, stop := t.commands.Seconds()
	defer stop()
	for range seconds {
		select {
		case <-ctx.Done():
			return false
		case <-ticks:
		}
	}
	return true
}

// see shows one message, and remembers where the next stream begins.
func (t *tailing) see(m *eventsv1.TailEventsResponse) error {
	t.begun = true
	if t.form == terminal.OutputJSON {
		t.broken = terminal.WriteLine(t.commands.Out, m)
	} else {
		t.broken = t.table.Write(eventRows(m.GetEvent()))
	}
	if t.broken == nil {
		t.request.Position, t.request.Since = m.GetPosition(), nil
	}
	return t.broken
}

// eventRows shows an event as a row; none when there is none.
func eventRows(e *eventv1.Event) []terminal.Row {
	if e == nil {
		return nil
	}
	by := e.GetEditor().GetDisplayName()
	if by == "" {
		by = e.GetEditor().GetUserId()
	}
	payload := ""
	if e.GetPayload() != nil {
		if text, err := protojson.Marshal(e.GetPayload()); err == nil {
			payload = string(text)
		}
	}
	return []terminal.Row{{
		e.GetCreationDate().AsTime().Format(time.RFC3339), e.GetType().GetType(),
		e.GetAggregate().GetType().GetType() + " " + e.GetAggregate().GetId(), strconv.FormatUint(e.GetSequence(), 10), by, payload,
	}}
}
