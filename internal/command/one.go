package command

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/client"
	"castellan/internal/terminal"

	zitadelv1 "castellan/gen/zitadel/v1"
)

// message is a pointer to the struct of a message.
type message[T any] interface {
	*T
	proto.Message
}

// step is done before a call, when the command line is known to be right.
type step func(ctx context.Context, to *client.Client, args []string) error

// one makes cmd a command that makes one call: of the procedure, with a request made of the
// arguments, after the steps. The answer is shown as rows of names and values, or as JSON.
func one[Req, Res any, Answer message[Res]](
	c *Commands, cmd *cobra.Command, procedure string,
	request func(args []string) (*Req, error), show func(args []string, answer *Res) []terminal.Row, before ...step,
) *cobra.Command {
	at, output := c.addClient(cmd)
	cmd.RunE = c.Do(func(ctx context.Context, args []string) error {
		asked, err := request(args)
		if err != nil {
			return err
		}
		to, err := at.Client(c.Surroundings)
		if err != nil {
			return err
		}
		for _, do := range before {
			if err := do(ctx, to, args); err != nil {
				return err
			}
		}
		answer, err := invoke[Req, Res](ctx, to, procedure, asked)
		if err != nil {
			return err
		}
		if *output == terminal.OutputJSON {
			return terminal.WriteMessage(c.Out, Answer(answer))
		}
		return terminal.WriteTable(c.Out, show(args, answer))
	})
	return cmd
}

// addClient gives cmd what every client command has. Its arguments are ids and names, which no
// shell can complete from files.
func (c *Commands) addClient(cmd *cobra.Command) (at *client.Access, output *string) {
	if cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	return client.AddAccess(cmd), terminal.AddOutput(cmd)
}

// invoke makes a call and explains its error.
func invoke[Req, Res any](ctx context.Context, to *client.Client, procedure string, request *Req) (*Res, error) {
	answer, err := client.Invoke[Req, Res](ctx, to, procedure, "", request)
	if err != nil {
		return nil, to.Explain(err)
	}
	return answer, nil
}

// ask gives cmd the flag --yes, and returns the step that asks whether to go ahead when it is
// not given. question says in whole sentences what will be gone.
func (c *Commands) ask(cmd *cobra.Command, question func(args []string) string) step {
	return c.askFor(cmd, func(_ context.Context, _ *client.Client, args []string) (string, string, error) {
		return question(args), "yes", nil
	})
}

// askFor is ask for questions that need a look first, and a word other than yes.
func (c *Commands) askFor(
	cmd *cobra.Command, question func(ctx context.Context, to *client.Client, args []string) (question, word string, err error),
) step {
	yes := cmd.Flags().Bool("yes", false, "do it without asking")
	return func(ctx context.Context, to *client.Client, args []string) error {
		if *yes {
			return nil
		}
		if !c.Interactive { // nothing is looked at in vain
			return c.Confirm("", "")
		}
		text, word, err := question(ctx, to, args)
		if err != nil {
			return err
		}
		return c.Confirm(text, word)
	}
}

// done shows what the answer to a write says: of which instance something was what, and when.
func done(instance, what string, details *zitadelv1.ObjectDetails) []terminal.Row {
	return []terminal.Row{{"Instance", instance}, {what, dateOf(details)}}
}

// dateOf returns when a write was done. The API has that date in the one or the other field
// (contract section 2.1).
func dateOf(details *zitadelv1.ObjectDetails) string {
	if details.GetCreationDate() != nil {
		return date(details.GetCreationDate())
	}
	return date(details.GetChangeDate())
}

// date shows a time in UTC, empty when there is none.
func date(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339)
}

// moment reads a time, or a duration from now; nil when text is empty.
func moment(flag, text string, now time.Time) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return timestamppb.New(now.Add(d)), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, terminal.Usagef("%s must be a time such as 2030-12-31T00:00:00Z or a duration such as 720h, not %q", flag, text)
	}
	return timestamppb.New(t), nil
}
