//! The Rust side of Spin's interfaces, generated from `wit/`.

wasmtime::component::bindgen!({
    path: "wit",
    world: "adlib:edge-host/spin",
    imports: { default: async | trappable },
    with: {
        "spin:key-value/key-value.store": crate::key_value::OpenStore,
        "spin:redis/redis.connection": crate::redis::OpenConnection,
    },
    require_store_data_send: true,
});
