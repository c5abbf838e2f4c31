//! API keys: a record that does not change, the secrets, and the place in the list.

use adlib_shared::key::KeyId;

use super::{Redis, names, number};
use crate::store::{KEYS_MAX, NewKey, StoredKey};
use crate::world::{StoreError, World};

impl<W: World> Redis<W> {
    pub(super) async fn find_key(&self, id: KeyId) -> Result<Option<StoredKey>, StoreError> {
        let names = names::key(id).map(String::into_bytes);
        let mut values = self.command("MGET", names.to_vec()).await?;
        let (record, secrets) = (values.bytes()?, values.bytes()?);
        Ok(record.zip(secrets).map(|(record, secrets)| StoredKey { record, secrets }))
    }

    pub(super) async fn keep_key(&self, new: NewKey<'_>) -> Result<bool, StoreError> {
        let NewKey { id, tenant, key: StoredKey { record, secrets } } = new;
        let [record_name, secrets_name] = names::key(id);
        let texts = [id.to_string().into_bytes(), tenant.as_bytes().to_vec()];
        let arguments = [&texts[..], &[record.clone(), secrets.clone(), number(&KEYS_MAX)]].concat();
        let keys = [record_name, secrets_name, names::keys()];
        Ok(self.run(&self.scripts.add_key, &keys, arguments).await?.number()? == 1)
    }

    pub(super) async fn swap_secrets(&self, id: KeyId, from: &[u8], to: &[u8]) -> Result<bool, StoreError> {
        let arguments = vec![from.to_vec(), to.to_vec()];
        let answer = self.run(&self.scripts.change_secrets, &names::key(id), arguments).await;
        Ok(answer?.number()? == 1)
    }

    pub(super) async fn drop_key(&self, id: KeyId) -> Result<bool, StoreError> {
        let [record_name, secrets_name] = names::key(id);
        let keys = [record_name, secrets_name, names::keys()];
        let arguments = vec![id.to_string().into_bytes()];
        Ok(self.run(&self.scripts.remove_key, &keys, arguments).await?.number()? > 0)
    }

    pub(super) async fn list_keys(&self) -> Result<Vec<(KeyId, String)>, StoreError> {
        let pairs = self.command("HGETALL", vec![names::keys().into_bytes()]).await?.pairs();
        Ok(pairs.filter_map(|(id, tenant)| Some((KeyId::parse(&id)?, tenant))).collect())
    }
}
