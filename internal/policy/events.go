package policy

// InstanceComplexityChanged says what an instance asks of passwords from now on, as far as it differs from
// before.
type InstanceComplexityChanged struct{ ComplexitySettings }

// InstanceAgeChanged says how long passwords of an instance may be used.
type InstanceAgeChanged struct{ AgeSettings }

// InstanceLockoutChanged says when users of an instance are locked out.
type InstanceLockoutChanged struct{ LockoutSettings }

// InstanceDomainChanged says what domains of organizations of an instance are used for.
type InstanceDomainChanged struct{ DomainSettings }

// InstanceOIDCChanged says how long tokens of an instance live.
type InstanceOIDCChanged struct{ OIDCSettings }

// OrgComplexityAdded gives an organization, the owner of the aggregate, a policy of its own. It has all
// settings.
type OrgComplexityAdded struct{ ComplexitySettings }

// OrgComplexityChanged says in what such a policy is another now.
type OrgComplexityChanged struct{ ComplexitySettings }

// OrgComplexityRemoved ends such a policy: that of the instance holds again.
type OrgComplexityRemoved struct{}

// EventType implements eventlog.Payload.
func (InstanceComplexityChanged) EventType() string {
	return "instance.policy.password.complexity.changed"
}

// EventType implements eventlog.Payload.
func (InstanceAgeChanged) EventType() string { return "instance.policy.password.age.changed" }

// EventType implements eventlog.Payload.
func (InstanceLockoutChanged) EventType() string { return "instance.policy.lockout.changed" }

// EventType implements eventlog.Payload.
func (InstanceDomainChanged) EventType() string { return "instance.policy.domain.changed" }

// EventType implements eventlog.Payload.
func (InstanceOIDCChanged) EventType() string { return "instance.oidc.settings.changed" }

// EventType implements eventlog.Payload.
func (OrgComplexityAdded) EventType() string { return "org.policy.password.complexity.added" }

// EventType implements eventlog.Payload.
func (OrgComplexityChanged) EventType() string { return "org.policy.password.complexity.changed" }

// EventType implements eventlog.Payload.
func (OrgComplexityRemoved) EventType() string { return "org.policy.password.complexity.removed" }
