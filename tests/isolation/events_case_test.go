package isolation

import (
	"google.golang.org/protobuf/proto"

	eventsv1 "castellan/gen/castellan/events/v1"
)

func init() {
	const service = "castellan.events.v1.EventService"
	names(service, map[string]string{"aggregate_id": "user_id"})
	add(service, map[string]case_{
		"TailEvents": {own, func(t Target) proto.Message {
			return &eventsv1.TailEventsRequest{InstanceId: t["instance_id"], AggregateId: t["user_id"]}
		}},
	})
}
