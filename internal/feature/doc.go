// Package feature is the noun for switches that change how an instance behaves.
//
// Events: feature.instance.login_default_org.set.
//
// It refuses a feature that there is not (SYST-SGV45).
//
// An instance has one aggregate of features, which is called like the instance. A switch that nobody
// has set is nil: what it means then is said by the built-in defaults, whose version the instance
// refers to.
//
// It guarantees that a switch, once set, stays as it is whatever later defaults say.
//
// Beside it: quota and limit are what else operators set for an instance.
package feature
