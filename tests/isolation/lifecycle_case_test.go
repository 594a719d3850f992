package isolation

import (
	"google.golang.org/protobuf/proto"

	"castellan/tests/kit"

	castellansystemv1 "castellan/gen/castellan/system/v1"
)

func init() {
	names("castellan.system.v1.InstanceLifecycleService", map[string]string{"id": "system_user"})
	key := kit.NewUser("robot").PublicPEM()
	add("castellan.system.v1.InstanceLifecycleService", map[string]case_{
		"StopInstance": {own, func(t Target) proto.Message {
			return &castellansystemv1.StopInstanceRequest{InstanceId: t["instance_id"]}
		}},
		"StartInstance": {own, func(t Target) proto.Message {
			return &castellansystemv1.StartInstanceRequest{InstanceId: t["instance_id"]}
		}},
		"WatchInstances": {system, func(t Target) proto.Message {
			return &castellansystemv1.WatchInstancesRequest{FromBeginning: true, InstanceIds: []string{t["instance_id"]}}
		}},
		"ListSystemUsers": {system, func(Target) proto.Message { return &castellansystemv1.ListSystemUsersRequest{} }},
		"AddSystemUser": {system, func(t Target) proto.Message {
			return &castellansystemv1.AddSystemUserRequest{
				Id: "another-" + t["system_user"], PublicKey: key, Memberships: []*castellansystemv1.Membership{{
					Type: castellansystemv1.MembershipType_MEMBERSHIP_TYPE_INSTANCE, AggregateId: t["instance_id"], Roles: []string{"SYSTEM_OWNER"},
				}},
			}
		}},
		"RotateSystemUserKey": {system, func(t Target) proto.Message {
			return &castellansystemv1.RotateSystemUserKeyRequest{Id: t["system_user"], PublicKey: key}
		}},
		"RemoveSystemUser": {system, func(t Target) proto.Message {
			return &castellansystemv1.RemoveSystemUserRequest{Id: t["system_user"]}
		}},
		"ListAuditEntries": {system, func(t Target) proto.Message {
			return &castellansystemv1.ListAuditEntriesRequest{InstanceId: t["instance_id"], Actor: t["user_id"]}
		}},
	})
}
