/* made.h: what an endpoint's maker asks for, with the includer's INTERFACE. */
#pragma once

#include "test/boot/native/ledger.h"

#include "abi/endpoint.capnp.h"

/* An endpoint of a ledger, or a facet of an endpoint. */
static inline uint32_t made(uint32_t cap, uint64_t interface, uint16_t method)
{
	struct native_call call;

	native_call(&call, self, cap, interface, method);
	if (interface == ENDPOINT_ID)
		endpoint_facet_params_set_interface(endpoint_facet_params_build(&call.params),
		                                    INTERFACE);
	else
		(void)ledger_endpoint_params_build(&call.params);
	OK(native_send(&call));
	return call.caps[0];
}
