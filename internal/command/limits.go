package command

import (
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	"castellan/internal/client"
	"castellan/internal/files"
	"castellan/internal/terminal"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// maxBulk bounds what `castellan limits bulk` reads, in bytes: no server takes a longer request.
const maxBulk = 4 << 20

// limits returns `castellan limits`.
func (c *Commands) limits() *cobra.Command {
	return terminal.Group(&cobra.Command{Use: "limits", Short: "Set what an instance may not do"},
		c.setLimits(), c.bulkSetLimits(), c.resetLimits())
}

// setLimits returns `castellan limits set`.
func (c *Commands) setLimits() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set ID",
		Short: "Set limits of an instance; those left out keep their value",
		Example: `  castellan limits set 123 --block
  castellan limits set 123 --block=false --audit-retention 8760h`,
		Args: terminal.Arguments("ID"),
	}
	retention := cmd.Flags().Duration("audit-retention", 0, "how far back the log of the instance can be read, 0 for all of it")
	block := cmd.Flags().Bool("block", false, "refuse every request to the instance; --block=false: no longer")
	cmd.MarkFlagsOneRequired("audit-retention", "block")
	return client.One(c.Surroundings, cmd, systemv1.SystemService_SetLimits_FullMethodName,
		func(args []string) (*systemv1.SetLimitsRequest, error) {
			request := &systemv1.SetLimitsRequest{InstanceId: args[0]}
			if cmd.Flags().Changed("audit-retention") {
				request.AuditLogRetention = durationpb.New(*retention)
			}
			if cmd.Flags().Changed("block") {
				request.Block = block
			}
			return request, nil
		},
		func(args []string, r *systemv1.SetLimitsResponse) []terminal.Row {
			return done(args[0], "Changed", r.GetDetails())
		})
}

// bulkSetLimits returns `castellan limits bulk`.
func (c *Commands) bulkSetLimits() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bulk FILE",
		Short: "Set limits of several instances at once",
		Long: `bulk sets limits of several instances, all of them or none. FILE, or standard input when it is -, is
a JSON object in the form of the API: {"limits": [{"instanceId": "123", "block": true,
"auditLogRetention": "86400s"}]}. An id of no instance is refused, with the number of its entry.`,
		Example: `  echo '{"limits":[{"instanceId":"123","block":true}]}' | castellan limits bulk -`,
		Args:    terminal.Arguments("FILE"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return []cobra.Completion{"json"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	return client.One(c.Surroundings, cmd, systemv1.SystemService_BulkSetLimits_FullMethodName,
		func(args []string) (*systemv1.BulkSetLimitsRequest, error) { return c.readLimits(args[0]) },
		func(_ []string, r *systemv1.BulkSetLimitsResponse) []terminal.Row {
			rows := []terminal.Row{{"INSTANCE", "CHANGED"}}
			for _, d := range r.GetTargetDetails() {
				rows = append(rows, terminal.Row{d.GetResourceOwner(), date(d.GetCreationDate())})
			}
			return rows
		})
}

// readLimits reads the limits in a file, in standard input when its name is a hyphen.
func (c *Commands) readLimits(path string) (*systemv1.BulkSetLimitsRequest, error) {
	var text []byte
	var err error
	if path == "-" {
		path = "standard input"
		text, err = files.ReadAll(c.In, path, maxBulk)
	} else {
		text, err = files.Read(path, maxBulk)
	}
	if err != nil {
		return nil, err
	}
	request, err := parseLimits(text)
	if err != nil {
		return nil, terminal.Usagef("%s: %w", path, err)
	}
	return request, nil
}

// parseLimits reads limits in JSON.
func parseLimits(text []byte) (*systemv1.BulkSetLimitsRequest, error) {
	request := &systemv1.BulkSetLimitsRequest{}
	if err := protojson.Unmarshal(text, request); err != nil {
		return nil, fmt.Errorf("is not limits in the form of the API: %s", terminal.Printable(err.Error()))
	}
	for i, l := range request.GetLimits() {
		// Of what is set for all or for none, it is good to know which entry is wrong.
		if l.GetInstanceId() == "" || l.GetAuditLogRetention() == nil && l.Block == nil {
			return nil, fmt.Errorf("limits[%d]: must have an instanceId, and block or auditLogRetention", i)
		}
	}
	return request, nil
}

// resetLimits returns `castellan limits reset`.
func (c *Commands) resetLimits() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "reset ID",
		Short:   "Remove all limits of an instance",
		Example: "  castellan limits reset 123",
		Args:    terminal.Arguments("ID"),
	}
	return client.One(c.Surroundings, cmd, systemv1.SystemService_ResetLimits_FullMethodName,
		func(args []string) (*systemv1.ResetLimitsRequest, error) {
			return &systemv1.ResetLimitsRequest{InstanceId: args[0]}, nil
		},
		func(args []string, r *systemv1.ResetLimitsResponse) []terminal.Row {
			return done(args[0], "Removed", r.GetDetails())
		},
		client.Ask(c.Surroundings, cmd, func(args []string) string {
			return fmt.Sprintf("The instance %s will have no limits: it is no longer blocked, and all of its log can be read.", args[0])
		}))
}
