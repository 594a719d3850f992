package command

import (
	"strconv"

	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/terminal"

	featurev1 "castellan/gen/zitadel/feature/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// features are the switches of an instance.
var features = []word[featurev1.InstanceFeature]{
	{"login-default-org", featurev1.InstanceFeature_INSTANCE_FEATURE_LOGIN_DEFAULT_ORG},
}

// feature returns `castellan feature`.
func (c *Commands) feature() *cobra.Command {
	return terminal.Group(&cobra.Command{Use: "feature", Short: "Switch features of an instance"}, c.setFeature())
}

// setFeature returns `castellan feature set`.
func (c *Commands) setFeature() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set ID FEATURE true|false",
		Short: "Switch a feature of an instance on or off",
		Long: `set switches a feature of an instance. With login-default-org, signing in without naming an
organization applies the settings of the default organization.`,
		Example: "  castellan feature set 123 login-default-org false",
		Args:    terminal.Arguments("ID", "FEATURE", "true or false"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			switch len(args) {
			case 1:
				return texts(features), cobra.ShellCompDirectiveNoFileComp
			case 2:
				return []cobra.Completion{"true", "false"}, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
	return client.One(c.Surroundings, cmd, systemv1.SystemService_SetInstanceFeature_FullMethodName,
		func(args []string) (*systemv1.SetInstanceFeatureRequest, error) {
			feature, err := parseWord("the feature", features, args[1])
			if err != nil {
				return nil, err
			}
			on, err := strconv.ParseBool(args[2])
			if err != nil {
				return nil, terminal.Usagef("the value must be true or false, not %.100q", args[2])
			}
			return &systemv1.SetInstanceFeatureRequest{
				InstanceId: args[0], FeatureId: feature, Value: &systemv1.SetInstanceFeatureRequest_Bool{Bool: on},
			}, nil
		},
		func(args []string, r *systemv1.SetInstanceFeatureResponse) []terminal.Row {
			return done(args[0], "Changed", r.GetDetails())
		})
}
