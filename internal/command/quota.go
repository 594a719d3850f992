package command

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/client"
	"castellan/internal/terminal"

	quotav1 "castellan/gen/zitadel/quota/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// quota returns `castellan quota`.
func (c *Commands) quota() *cobra.Command {
	return terminal.Group(&cobra.Command{Use: "quota", Short: "Set how much of something an instance may use in a period"},
		c.addQuota(), c.setQuota(), c.removeQuota())
}

// units are what quotas count.
var units = []word[quotav1.Unit]{
	{"requests", quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED},
	{"action-seconds", quotav1.Unit_UNIT_ACTIONS_ALL_RUN_SECONDS},
}

// addUnit gives cmd the flag that says what a quota counts.
func addUnit(cmd *cobra.Command) func() quotav1.Unit {
	unit := addWords(cmd, "unit", "what it counts: authenticated requests, or seconds that actions run", units)
	terminal.Must(cmd.MarkFlagRequired("unit"))
	cmd.Flags().Lookup("unit").DefValue = "" // what is to be said has no default
	return unit
}

// newQuota is what the flags of `castellan quota add` and `set` say.
type newQuota struct {
	unit     func() quotav1.Unit
	from     string
	interval time.Duration
	amount   uint64
	limit    bool
	notify   []string
}

// addNewQuota gives cmd the flags of a new quota.
func addNewQuota(cmd *cobra.Command) *newQuota {
	q := &newQuota{unit: addUnit(cmd)}
	f := cmd.Flags()
	f.StringVar(&q.from, "from", "", "`time` at which the first period begins, default now")
	f.DurationVar(&q.interval, "interval", 0, "how long a period lasts, at least 1m")
	f.Uint64Var(&q.amount, "amount", 0, "how much may be used in a period")
	f.BoolVar(&q.limit, "limit", false, "refuse further use once the amount is used up")
	f.StringArrayVar(&q.notify, "notify", nil,
		"at which share of the amount to POST where, as `PERCENT=URL`; with ,repeat at the end also at its multiples; can be repeated")
	terminal.Must(cmd.MarkFlagRequired("interval"))
	terminal.Must(cmd.MarkFlagRequired("amount"))
	return q
}

// request returns the quota of an instance that q describes.
func (q *newQuota) request(id string, now time.Time) (*systemv1.SetQuotaRequest, error) {
	from, err := moment("--from", q.from, now)
	if err != nil {
		return nil, err
	}
	if from == nil {
		from = timestamppb.New(now)
	}
	request := &systemv1.SetQuotaRequest{
		InstanceId: id, Unit: q.unit(), From: from, ResetInterval: durationpb.New(q.interval), Amount: q.amount, Limit: q.limit,
	}
	for _, text := range q.notify {
		n, err := parseNotification(text)
		if err != nil {
			return nil, terminal.Usagef("--notify %.300q: %w", text, err)
		}
		request.Notifications = append(request.Notifications, n)
	}
	return request, nil
}

// parseNotification reads PERCENT=URL, or PERCENT=URL,repeat. Which URLs can be called the server
// decides.
func parseNotification(text string) (*quotav1.Notification, error) {
	share, url, ok := strings.Cut(text, "=")
	if !ok {
		return nil, errors.New("must be PERCENT=URL, such as 80=https://acme.example/quota")
	}
	percent, err := strconv.ParseUint(strings.TrimSuffix(share, "%"), 10, 32)
	if err != nil || percent == 0 {
		return nil, errors.New("the percentage must be a whole number from 1")
	}
	url, repeat := strings.CutSuffix(url, ",repeat")
	if url == "" {
		return nil, errors.New("the URL is missing")
	}
	return &quotav1.Notification{Percent: uint32(percent), CallUrl: url, Repeat: repeat}, nil
}

// addQuota returns `castellan quota add`.
func (c *Commands) addQuota() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add ID",
		Short: "Give an instance a quota where it has none",
		Long: `add gives an instance a quota for a unit it has none for. Times are RFC 3339 or a duration from now.
Without --limit a quota is only counted.`,
		Example: `  castellan quota add 123 --unit requests --interval 720h --amount 100000 --limit \
    --notify 80=https://acme.example/quota --notify 100=https://acme.example/quota,repeat`,
		Args: terminal.Arguments("ID"),
	}
	q := addNewQuota(cmd)
	return client.One(c.Surroundings, cmd, systemv1.SystemService_AddQuota_FullMethodName,
		func(args []string) (*systemv1.AddQuotaRequest, error) {
			r, err := q.request(args[0], c.Clock.Now())
			if err != nil {
				return nil, err
			}
			return &systemv1.AddQuotaRequest{
				InstanceId: r.GetInstanceId(), Unit: r.GetUnit(), From: r.GetFrom(), ResetInterval: r.GetResetInterval(),
				Amount: r.GetAmount(), Limit: r.GetLimit(), Notifications: r.GetNotifications(),
			}, nil
		},
		func(args []string, r *systemv1.AddQuotaResponse) []terminal.Row {
			return done(args[0], "Added", r.GetDetails())
		})
}

// setQuota returns `castellan quota set`.
func (c *Commands) setQuota() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "set ID",
		Short:   "Give an instance a quota, in place of the one it may have",
		Example: "  castellan quota set 123 --unit action-seconds --from 2030-01-01T00:00:00Z --interval 24h --amount 3600",
		Args:    terminal.Arguments("ID"),
	}
	q := addNewQuota(cmd)
	return client.One(c.Surroundings, cmd, systemv1.SystemService_SetQuota_FullMethodName,
		func(args []string) (*systemv1.SetQuotaRequest, error) { return q.request(args[0], c.Clock.Now()) },
		func(args []string, r *systemv1.SetQuotaResponse) []terminal.Row {
			return done(args[0], "Changed", r.GetDetails())
		})
}

// removeQuota returns `castellan quota remove`.
func (c *Commands) removeQuota() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove ID",
		Short:   "Remove a quota of an instance",
		Example: "  castellan quota remove 123 --unit requests",
		Args:    terminal.Arguments("ID"),
	}
	unit := addUnit(cmd)
	return client.One(c.Surroundings, cmd, systemv1.SystemService_RemoveQuota_FullMethodName,
		func(args []string) (*systemv1.RemoveQuotaRequest, error) {
			return &systemv1.RemoveQuotaRequest{InstanceId: args[0], Unit: unit()}, nil
		},
		func(args []string, r *systemv1.RemoveQuotaResponse) []terminal.Row {
			return done(args[0], "Removed", r.GetDetails())
		},
		client.Ask(c.Surroundings, cmd, func(args []string) string {
			return fmt.Sprintf("What the instance %s uses will no longer be counted, nor limited.", args[0])
		}))
}
