package feature

// LoginDefaultOrgSet says whether signing in without naming an organization applies the settings of
// the default one.
type LoginDefaultOrgSet struct {
	Value bool `json:"Value"`
}

// EventType implements eventlog.Payload.
func (LoginDefaultOrgSet) EventType() string { return "feature.instance.login_default_org.set" }
