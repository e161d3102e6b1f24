import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseNetworkModel } from './choose-network-model.ts';

const annotate = (value: string) => ({ 'io.wardian.network.model': value });

test('the annotation comes before the configuration, and that before what is built in', async () => {
  const environment = { WARDIAN_NETWORK_MODEL: 'macvtap' };
  assert.equal(await chooseNetworkModel(annotate('tcfilter'), environment), 'tcfilter');
  assert.equal(await chooseNetworkModel({}, environment), 'macvtap');
  assert.equal(await chooseNetworkModel(annotate('macvtap'), {}), 'macvtap');
});

test('a model that there is not is refused with those that there are', async () => {
  await assert.rejects(chooseNetworkModel(annotate('bridge'), {}), {
    code: 'SPEC_INVALID',
    message: 'annotations["io.wardian.network.model"] is "bridge"',
    hint: 'it must be "tcfilter" or "macvtap"',
  });
});
