import { kubernetesCluster } from '../../support/kubernetes-cluster.js'
import { apiServerAnswers } from './api-server-answers.js'
import { kubernetesStoreContract, replicasOf } from './kubernetes-store-contract.js'

describe('the flag store in a real cluster', function () {
  this.timeout(60_000)
  const cluster = kubernetesCluster()
  beforeEach(() => cluster().clear())
  kubernetesStoreContract(cluster, replicasOf(cluster))
  apiServerAnswers(cluster)
})
