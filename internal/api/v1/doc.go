// Package v1 is what the services of the first version of the interface (system, admin, management) have in
// common: how details, instances, domains and members are shown, and how lists of them are asked for.
//
// It owns no service and reads nothing. What is shown belongs to instance and roster; which call shows it, to the
// services. It guarantees that the same thing looks the same in all of them.
package v1
