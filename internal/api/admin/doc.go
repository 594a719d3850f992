// Package admin serves what those who look after an instance as a whole need: zitadel.admin.v1.AdminService,
// of zitadel.management.v1.ManagementService the password policies of organizations, and
// castellan.events.v1.EventService, the log as it grows.
//
// It owns how policies, members and events look on the wire. Who may call what is declared in the proto
// files and decided by dispatch; what may be done, by instance, policy and member; what of the log may be
// seen, by journal.
//
// RPCs of the interface that are not in its proto files answer as any unknown method does.
package admin
